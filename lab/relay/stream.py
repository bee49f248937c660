"""What becomes of bytes on a faulty path, in pure code: `now` is an argument, chance is seeded.

TCP hides what happens to segments, at the price of time. So a `Path` lets each segment meet its
fate on a line of the wire and turns it into an arrival:

    lost or spoilt (its checksum fails) ─▶ sent again after a retransmission timeout, doubled each
                                           time (RFC 6298 section 5, Linux: at least 200 ms)
    held back, jittered                 ─▶ later, and all that follows waits for it
    doubled                             ─▶ nothing: the copy is thrown away

Fast retransmission (RFC 5681) would repair a loss within a long flow sooner; a request that fits
into a few segments has nothing behind it that could trigger that.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from lab.relay.toxics import Toxics
from lab.wire import Knobs, Line, Witness

SEGMENT_BYTES = 1460  # an Ethernet frame without the headers of IPv4 and TCP
FIRST_TIMEOUT_S = 0.2
ATTEMPTS = 16  # tcp_retries2 = 15 retransmissions: after that the connection is dead


class PathDead(Exception):
    """TCP gave up: a segment was lost at every attempt."""


class Path:
    """One direction of the relay, shared by all connections."""

    def __init__(
        self, seed: int, name: str, port: int, knobs: Knobs, witness: Witness | None = None
    ) -> None:
        """`name` and `port` are those of a `Line` of the wire and its end."""
        self._line = Line(seed, name, Knobs())
        self._port = port
        self._witness = witness
        self._knobs = knobs
        self.knobs = knobs

    @property
    def knobs(self) -> Knobs:
        """The knobs in force."""
        return self._knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self._knobs = replace(knobs, script=())
        # 1. A partition holds data back until it heals, and a queue's room is what the shell reads
        #    ahead: TCP's flow control does that, not loss.
        # 2. Segments fit any MTU.
        self._line.knobs = replace(knobs, partitioned=False, queue_bytes=0, mtu_bytes=65535)

    @property
    def script(self) -> deque[str]:
        """The fates of the next segments."""
        return self._line.script

    @script.setter
    def script(self, script: deque[str]) -> None:
        self._line.script = script

    @property
    def stats(self) -> dict[str, int]:
        """Counts of segments, retransmitted ones included."""
        return self._line.stats

    def carry(self, now: float, segment: bytes) -> tuple[float, int]:
        """Send a segment at `now`; return when it arrives and its number. Raises PathDead."""
        waited_s, timeout_s = 0.0, FIRST_TIMEOUT_S
        for _ in range(ATTEMPTS):
            number = self._line.frames
            copies = self._line.push(now, segment)
            if self._witness:
                fate = self._line.fate
                self._witness.entered(now + waited_s, self._port, number, segment, fate, copies)
            if copies and copies[0][1] == segment:
                return copies[0][0] + waited_s, number
            waited_s += timeout_s
            timeout_s *= 2
        raise PathDead(f"a segment was lost {ATTEMPTS} times")

    def arrived(self, now: float, number: int, segment: bytes) -> None:
        """Tell the witness that a segment has been handed to the receiver."""
        if self._witness:
            self._witness.delivered(now, 1 - self._port, number, segment)


class Stream:
    """One direction of one connection: bytes in, pieces of them out, in order, later."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._path = path
        self._rng = rng
        self._last_at = 0.0
        self._taken_bytes = 0

    def push(self, now: float, data: bytes, toxics: Toxics) -> Iterator[tuple[float, int, bytes]]:
        """Send `data` at `now`; give (arrives at, segment number, piece). Raises PathDead."""
        if toxics.timeout_s is not None:
            return
        data = data[: self.room_bytes(toxics)]
        self._taken_bytes += len(data)
        for start in range(0, len(data), SEGMENT_BYTES):
            segment = data[start : start + SEGMENT_BYTES]
            at, number = self._path.carry(now, segment)
            self._last_at = max(self._last_at, at)  # TCP delivers in order: all wait for the late
            for piece in self._slices(segment, toxics):
                yield self._last_at, number, piece
                self._last_at += toxics.slice_gap_s

    def room_bytes(self, toxics: Toxics) -> int | None:
        """How much more may pass before `limit_data_bytes` closes the connection; None: any."""
        if toxics.limit_data_bytes is None:
            return None
        return max(0, toxics.limit_data_bytes - self._taken_bytes)

    def ends_at(self, now: float, toxics: Toxics) -> float:
        """When the other side learns that the stream, ended at `now`, has ended."""
        end_of_line = now + self._path.knobs.delay_s
        return max(self._last_at, end_of_line) + toxics.slow_close_s

    def _slices(self, segment: bytes, toxics: Toxics) -> Iterator[bytes]:
        if not toxics.slice_bytes:
            yield segment
            return
        while segment:
            vary = toxics.slice_variation_bytes
            size = max(1, toxics.slice_bytes + self._rng.randint(-vary, vary))
            yield segment[:size]
            segment = segment[size:]
