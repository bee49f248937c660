"""What a case is: steps of a client, steps of an upstream, and the outcomes that are allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

REJECTION = (*range(400, 500), 501, 505)
BAD_GATEWAY = (502, 503, 504)
NEXT_PATH, PROBE_PATH = "/open/next", "/open/probe"
NEXT = b"GET /open/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /open/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Pause:
    """Nothing happens for so long."""

    s: float


@dataclass(frozen=True)
class Await:
    """Go on when these bytes have come from the other side, or after so long."""

    text: bytes
    within_s: float = 1.0


class End(Enum):
    FIN = "the sender has nothing more to say, and may still listen"
    RESET = "the sender is gone, and what was under way is lost"


FIN, RESET = End.FIN, End.RESET
Step = bytes | Pause | Await | End


@dataclass(frozen=True)
class Refused:
    """One answer of refusal; nothing complete upstream; then the end of the connection."""

    statuses: tuple[int, ...] = REJECTION
    may_go_on: bool = False  # where the request ends is beyond doubt: the next may be answered
    may_be_silent: bool = False  # the end of the connection without an answer will do


@dataclass(frozen=True)
class Passed:
    """The request reached the upstream as written here, once, and was answered."""

    body: bytes = b""
    target: str = "/open/first"
    method: str = ""  # empty: as it was sent
    has: tuple[tuple[str, str], ...] = ()  # fields that came with just this value
    lacks: tuple[str, ...] = ()  # fields that did not come
    also: tuple[str, ...] = ()  # the targets of further requests that the client meant to send
    then: str = "either"  # "next" is answered, or the connection "closes" before it


@dataclass(frozen=True)
class Guarded:
    """Refused, or upstream with a path that no reader takes for one outside /open/."""


@dataclass(frozen=True)
class Answered:
    """The client received a complete response like this."""

    statuses: tuple[int, ...] = (200,)
    body: bytes | None = None
    has: tuple[tuple[str, str], ...] = ()
    lacks: tuple[str, ...] = ()
    interim: tuple[int, ...] | None = None
    then: str = "either"


@dataclass(frozen=True)
class Cut:
    """The client can tell that what it received is not all: no complete response, then the end."""


@dataclass(frozen=True)
class Unfinished:
    """Nothing complete upstream, no success for the client, whatever else it saw."""


Outcome = Refused | Passed | Guarded | Answered | Cut | Unfinished


@dataclass(frozen=True)
class Case:
    """`sent` by the client, followed in the same breath by a second request (unless `next` is off).

    `answer`: what the upstream sends instead of its plain 200; `at_head`: as soon as it has the
    head of the request. `is_slow`: needs a proxy whose limits are a fraction of a second.
    """

    number: str
    name: str
    sent: bytes | tuple[Step, ...]
    allowed: tuple[Outcome, ...]
    rfc: str
    answer: tuple[Step, ...] = ()
    at_head: bool = False
    next: bool = True
    is_slow: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that the client does; the second request in one piece with the end of the first."""
        steps = self.sent if isinstance(self.sent, tuple) else (self.sent,)
        if not self.next:
            return steps
        last = steps[-1]
        return (*steps[:-1], last + NEXT) if isinstance(last, bytes) else (*steps, NEXT)

    @property
    def method(self) -> str:
        """Of the first request, as it was sent."""
        first = next_bytes(self.steps)
        return first.lstrip().split(b" ")[0].decode("latin-1")


def next_bytes(steps: tuple[Step, ...]) -> bytes:
    """All bytes of these steps."""
    return b"".join(step for step in steps if isinstance(step, bytes))


def drip(text: bytes, gap_s: float = 0.0) -> tuple[Step, ...]:
    """Byte by byte, each a packet of its own."""
    steps: list[Step] = []
    for at in range(len(text)):
        steps += [text[at : at + 1], Pause(gap_s)]
    return tuple(steps)
