"""Another authority takes the place of the old one, and no call fails: four stages.

Whose certificate is signed by an authority that the other side does not believe is refused. So the
new one is believed before it signs, and the old one for as long as anybody shows what it signed.

               ASKED                 ALL_BELIEVE_BOTH
    +--------+ ------> +------------+ --------------> +---------+
    | STEADY |         | INTRODUCED |                 | SIGNING |
    +--------+         +------------+                 +---------+
         ^                     +----------+                |
         +-------------------- | RETIRING | <--------------+
           ALL_BELIEVE_ONE     +----------+    ALL_RENEWED

- STEADY: one authority signs and is believed.
- INTRODUCED: both are believed, the old one signs. Until every agent says that it serves both.
- SIGNING: both are believed, the new one signs, and all are told to renew. Until nobody holds a
  certificate of the old one.
- RETIRING: only the new one is believed; the old one's key is gone. Until every agent says so.

Who is away is waited for, as it may come back with what it had, but not for ever: when its last
certificate has ended it can come back only by a token, and learns everything anew. Nor for who is
there and never says what it believes: when all certificates have ended that were out as the stage
began, it was given the authorities with its next one, and stops nobody else. A stage also lasts
`least_s`: the proxies behind the agents must have been told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far a replacement is; the diagram above says when."""

    STEADY = "steady"
    INTRODUCED = "introduced"
    SIGNING = "signing"
    RETIRING = "retiring"


class Event(Enum):
    """What changes the stage."""

    ASKED = "asked"
    ALL_BELIEVE_BOTH = "all believe both"
    ALL_RENEWED = "all renewed"
    ALL_BELIEVE_ONE = "all believe one"


TRANSITIONS = {  # no other event can happen in these stages
    (Stage.STEADY, Event.ASKED): Stage.INTRODUCED,
    (Stage.INTRODUCED, Event.ALL_BELIEVE_BOTH): Stage.SIGNING,
    (Stage.SIGNING, Event.ALL_RENEWED): Stage.RETIRING,
    (Stage.RETIRING, Event.ALL_BELIEVE_ONE): Stage.STEADY,
}
ENDS = {stage: event for stage, event in TRANSITIONS if event is not Event.ASKED}
LEAST_S = 1.0


@dataclass(frozen=True)
class Holding:
    """What one instance has, as far as is known.

    believes: the hash of the authorities that its agent serves; empty: it has not said.
    signed_by: the authorities that signed its certificates, of those that have not ended.
    """

    name: str
    believes: str
    signed_by: frozenset[str]


class Rotation:
    """One authority's replacement. `old` and `new` are authorities' numbers; 0: there is none."""

    def __init__(
        self, number: int, stage: Stage = Stage.STEADY, since: float = 0.0, least_s: float = LEAST_S
    ) -> None:
        """number: of the authority that was last made. since: when the stage began."""
        self.number = number
        self.stage = stage
        self.since = since
        self._least_s = least_s

    @property
    def signing(self) -> int:
        """Who signs."""
        return self.number - 1 if self.stage is Stage.INTRODUCED else self.number

    @property
    def believed(self) -> tuple[int, ...]:
        """Whose signature counts, the oldest first."""
        if self.stage in (Stage.INTRODUCED, Stage.SIGNING):
            return self.number - 1, self.number
        return (self.number,)

    def ask(self, now: float) -> None:
        """Begins. Raises ValueError if a replacement is under way."""
        if self.stage is not Stage.STEADY:
            raise ValueError(f"another authority is {self.stage.value} already; accepted: steady")
        self._change(Event.ASKED, now)

    def waits_for(
        self, holdings: Iterable[Holding], believed: str, signing: str
    ) -> tuple[str, ...]:
        """The names of those who are not as far as this stage wants them.

        believed: the hash of those who are believed now. signing: who signs, as in `signed_by`.
        """
        if self.stage is Stage.STEADY:
            return ()
        if self.stage is Stage.SIGNING:
            late = [each.name for each in holdings if each.signed_by - {signing}]
        else:
            late = [each.name for each in holdings if each.believes != believed]
        return tuple(sorted(late))

    def look(self, waits_for: Iterable[str], now: float) -> bool:
        """Goes a stage further if nobody is waited for; whether it did."""
        is_over = not tuple(waits_for) and now >= self.since + self._least_s
        if self.stage is Stage.STEADY or not is_over:
            return False
        self._change(ENDS[self.stage], now)
        return True

    def _change(self, event: Event, now: float) -> None:
        self.stage = TRANSITIONS[self.stage, event]
        self.since = now
        if event is Event.ASKED:
            self.number += 1

    def __repr__(self) -> str:
        return f"<Rotation {self.stage.name} since {self.since:g}, authority {self.number}>"
