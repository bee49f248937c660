"""The wire on virtual time: two endpoints without sockets, a thousand histories in seconds.

Nothing waits: the clock jumps to the next thing that happens. One seed is one history, byte for
byte, so a failing history can be run again, stepped through and put into a test.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Protocol
from zlib import crc32

from lab.wire.core import Wire, Witness
from lab.wire.knobs import Knobs
from lab.wire.line import Delivery, Fate
from lab.wire.trace import ENDS, Witnesses

STEPS_WITHOUT_TIME = 100_000  # more than any honest burst: beyond it an endpoint spins on the spot


class Endpoint(Protocol):
    """A sans-IO protocol at one end of the wire; `now` is virtual time in seconds."""

    def receive(self, frame: bytes, now: float) -> None:
        """Take a frame that came out of the wire."""

    def outgoing(self, now: float) -> Sequence[bytes]:
        """Hand over the frames to send now; asked again after every receive and wake."""

    def next_wakeup(self) -> float | None:
        """When to call `wake`; None for never."""

    def wake(self, now: float) -> None:
        """A timer is due."""


class Standstill(RuntimeError):
    """Something keeps happening and time does not pass: a timer set for a moment already past."""


class Virtual:
    """Two endpoints on a wire. Endpoint 0 sits at orders' end, endpoint 1 at inventory's."""

    def __init__(
        self,
        seed: int,
        knobs: Knobs,
        orders: Endpoint,
        inventory: Endpoint,
        back: Knobs | None = None,
        witness: Witness | None = None,
    ) -> None:
        """`back` are the knobs of the way back where it differs. The clock starts at 0.

        `witness` is told what the wire does, beside the history: a trace, a capture.
        """
        self.now = 0.0
        self._record = History()
        watching = Witnesses(self._record, witness) if witness else self._record
        self.wire = Wire(seed, knobs, back, watching)
        self.endpoints = (orders, inventory)
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._plans = 0
        self._steps_on_the_spot = 0

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Plan an action: an application call, a change of knobs, a stop of one side."""
        self._plans += 1
        heapq.heappush(self._planned, (time, self._plans, action))

    def step(self) -> bool:
        """Let the next thing happen; False if nothing ever will."""
        self._flush()
        due_at = self._next_time()
        if due_at is None:
            return False
        self._advance(due_at)
        # At one moment: plans first, then frames, then timers, so that an acknowledgement
        # that arrives together with the timer it answers spares the retransmission.
        while self._planned and self._planned[0][0] <= self.now:
            heapq.heappop(self._planned)[2]()
            self._flush()
        for port, frame in list(self.wire.pop_due(self.now)):
            self.endpoints[port].receive(frame, self.now)
            self._send(port)
        for endpoint in self.endpoints:
            wakeup = endpoint.next_wakeup()
            if wakeup is not None and wakeup <= self.now:
                endpoint.wake(self.now)
        self._flush()
        return True

    def run(self, until: float, done: Callable[[], bool] | None = None) -> bool:
        """Run to the time `until`, or until `done()`. Returns `done()`, or True without one.

        Raises Standstill if the clock stops moving.
        """
        while not (done and done()):
            self._flush()
            due_at = self._next_time()
            if due_at is None or due_at > until:
                break
            self.step()
        else:
            return True
        self.now = max(self.now, until)
        return done is None

    def history(self) -> list[str]:
        """What the wire saw, one line per event; the same seed gives the same lines."""
        return self._record.lines()

    def _next_time(self) -> float | None:
        times = [endpoint.next_wakeup() for endpoint in self.endpoints]
        times.append(self.wire.next_time())
        times.append(self._planned[0][0] if self._planned else None)
        return min((time for time in times if time is not None), default=None)

    def _advance(self, due_at: float) -> None:
        if due_at > self.now:
            self.now = due_at
            self._steps_on_the_spot = 0
            return
        self._steps_on_the_spot += 1
        if self._steps_on_the_spot > STEPS_WITHOUT_TIME:
            wakeups = [endpoint.next_wakeup() for endpoint in self.endpoints]
            raise Standstill(f"at {self.now} s for {STEPS_WITHOUT_TIME} steps; wake-ups {wakeups}")

    def _flush(self) -> None:
        self._send(0)
        self._send(1)

    def _send(self, port: int) -> None:
        for frame in self.endpoints[port].outgoing(self.now):
            self.wire.push(self.now, port, frame)

    def __repr__(self) -> str:
        return f"<Virtual at {self.now:.6f} s, {self.wire.lines[0].frames} there>"


class History:
    """A witness that keeps every event; it is formatted only when someone asks."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, int, str, bytes]] = []

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Fate,
        copies: Sequence[Delivery],
    ) -> None:
        """See Witness."""
        self._events.append((now, port, number, "send", frame))
        for what, why in fate:
            self._events.append((now, port, number, f"{what} ({why})", frame))

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """See Witness."""
        self._events.append((now, 1 - port, number, "deliver", frame))

    def lines(self) -> list[str]:
        """`time from->to #number what size crc32`, the checksum standing for the content."""
        return [
            f"{time:.9f} {ENDS[port]}->{ENDS[1 - port]} #{number} {what}"
            f" {len(frame)} bytes {crc32(frame):08x}"
            for time, port, number, what, frame in self._events
        ]
