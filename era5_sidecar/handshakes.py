"""Handshakes that came to nothing, on both sides: each is counted, each kind is said now and then.

A peer that tries again and again would fill the log with its one reason; and who it was is a mere
address on the inbound side, as it could not prove a name.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from era5_sidecar.refusals import refusal_of

WHILE_S = 60.0  # in which one kind is said once
DIRECTIONS = {"inbound": "would not let in", "outbound": "cannot ask"}


class Handshakes:
    """One for each process. `counted`: how many, by direction and reason."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.counted: dict[tuple[str, str], int] = {}
        self._say = say
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}  # when, and how many by then

    def failed(self, direction: str, peer: str, error: BaseException) -> str:
        """What it means, as is to be told after the peer's name. peer: of whom we know no more."""
        reason, told = refusal_of(error)
        self.count(direction, peer, reason, told)
        return told

    def count(self, direction: str, peer: str, reason: str, told: str) -> None:
        """One that failed for this `reason`; and say so, if it was not said lately."""
        kind = direction, reason
        number = self.counted[kind] = self.counted.get(kind, 0) + 1
        said_at, until_then = self._said.get(kind, (float("-inf"), 0))
        now = self._clock()
        if now - said_at < WHILE_S:
            return
        more = number - until_then - 1
        before = f" ({more} more since)" if more else ""
        self._say(f"{DIRECTIONS[direction]} {peer}: {told}{before}")
        self._said[kind] = now, number
