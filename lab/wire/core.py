"""The wire without sockets or clock: two lines, what is under way on them, and who watches."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol

from lab.wire.knobs import Knobs
from lab.wire.line import Delivery, Fate, Line

DIRECTIONS = ("there", "back")  # line 0 carries orders → inventory, line 1 inventory → orders


class Witness(Protocol):
    """Someone who watches the wire: a trace, a capture, a history. It must not change anything."""

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Fate,
        copies: Sequence[Delivery],
    ) -> None:
        """Frame `number` of its direction entered at `port`; `copies` will be delivered."""

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """A copy of frame `number` came out at `port`."""


class Wire:
    """Both directions, with what is under way. Ports: 0 is orders' end, 1 is inventory's."""

    def __init__(
        self, seed: int, knobs: Knobs, back: Knobs | None = None, witness: Witness | None = None
    ) -> None:
        """`back` are the knobs of the way back (inventory → orders) where it differs."""
        self.lines = (Line(seed, "there", knobs), Line(seed, "back", back or knobs))
        self.witness = witness
        self._under_way: list[tuple[float, int, int, int, bytes]] = []
        self._pushed = 0  # breaks ties: frames due at the same moment leave in order of arrival

    def push(self, now: float, port: int, frame: bytes) -> None:
        """Put a frame in at `port`; it will come out of the other port."""
        line = self.lines[port]
        number = line.frames
        copies = line.push(now, frame)
        if self.witness:
            self.witness.entered(now, port, number, frame, line.fate, copies)
        for at, copy in copies:
            self._pushed += 1
            heapq.heappush(self._under_way, (at, self._pushed, 1 - port, number, copy))

    def next_time(self) -> float | None:
        """When the next frame comes out; None if nothing is under way."""
        return self._under_way[0][0] if self._under_way else None

    def pop_due(self, now: float) -> Iterator[tuple[int, bytes]]:
        """Take out what is due at `now`: (port it comes out of, frame), in order of time."""
        while self._under_way and self._under_way[0][0] <= now:
            _, _, port, number, frame = heapq.heappop(self._under_way)
            if self.witness:
                self.witness.delivered(now, port, number, frame)
            yield port, frame
