"""Drive the wire's two lines over file descriptors, in real time.

The kernel's TCP sends 250,000 frames a second through here, so a frame has four microseconds:

* One `select` serves a batch of frames, and the clock is read once per batch.
* In-order frames wait in a queue per direction, which costs a tenth of a heap; only frames that
  were held back, and so come out of order, go to the heap.
* A frame that is due at once is written at once.
* Nothing polls: without frames under way `select` sleeps until someone sends or commands.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import heapq
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from select import select
from time import monotonic

from lab.wire.core import DIRECTIONS, Witness
from lab.wire.line import Line

BATCH = 64  # frames read before those that are due get their turn: at most 0.2 ms
LONGEST_FRAME = 65536
PR_SET_TIMERSLACK = 29

Deliver = Callable[[bytes], object]


class Stranger(Exception):
    """What was read is no frame of this wire."""


@dataclass(slots=True)
class End:
    """One descriptor of the wire: frames read from it enter at `port`."""

    fd: int
    port: int
    read: Callable[[], bytes]  # raises BlockingIOError when there is none, perhaps Stranger
    deliver: Deliver  # takes the frame last read, or a copy of it, out at the other port


class Pump:
    """Carries frames until the control descriptor says stop."""

    def __init__(self, lines: tuple[Line, Line], witness: Witness | None = None) -> None:
        """`lines` decide what becomes of a frame; `witness` sees it all."""
        self.undeliverable = [0, 0]  # frames the other side's kernel did not take, per direction
        self._lines = lines
        self._witness = witness
        self._ends: dict[int, End] = {}
        self._watched: list[int] = []
        # Under way: (deliver at, number, deliver, frame), per port of entry.
        self._in_order: tuple[deque[tuple[float, int, Deliver, bytes]], ...] = (deque(), deque())
        self._held: list[tuple[float, int, int, int, Deliver, bytes]] = []
        self._held_ever = 0

    def connect_interfaces(self, orders_fd: int, inventory_fd: int) -> None:
        """Put the wire between two interfaces, given by their TUN descriptors."""
        fds = (orders_fd, inventory_fd)
        for port, fd in enumerate(fds):
            os.set_blocking(fd, False)
            read = functools.partial(os.read, fd, LONGEST_FRAME)
            self.add(End(fd, port, read, deliver=functools.partial(os.write, fds[1 - port])))

    def add(self, end: End) -> None:
        """Take frames from one more descriptor."""
        self._ends[end.fd] = end
        self._watched.append(end.fd)

    def remove(self, fd: int) -> None:
        """Take no more frames from a descriptor. May be called twice."""
        if self._ends.pop(fd, None):
            self._watched.remove(fd)

    def run(self, control_fd: int, control: Callable[[], bool]) -> None:
        """Carry frames; when `control_fd` is readable ask `control`, which says False to stop."""
        sharpen_timers()
        gc.disable()  # nothing here makes cycles, and a collection is a hiccup of milliseconds
        ends, watched = self._ends, self._watched
        watched.append(control_fd)
        while True:
            readable, _, _ = select(watched, (), (), self._patience())
            for fd in readable:
                if fd in ends:
                    self._take(ends[fd])
                elif fd == control_fd and not control():  # else removed while we served another
                    return
            self._deliver_due(monotonic())

    def _patience(self) -> float | None:
        due_at = [queue[0][0] for queue in self._in_order if queue]
        if self._held:
            due_at.append(self._held[0][0])
        return max(0.0, min(due_at) - monotonic()) if due_at else None

    def _take(self, end: End) -> None:
        port, read, witness = end.port, end.read, self._witness
        line, queue, held = self._lines[port], self._in_order[port], self._held
        failures, why = 0, OSError()
        for _ in range(BATCH):
            try:
                frame = read()
            except BlockingIOError:
                return
            except Stranger:
                continue
            except OSError as error:  # portable: the ICMP "port unreachable" of an earlier frame
                failures, why = failures + 1, error
                continue
            number = line.frames
            now = monotonic()  # after it was read: no frame may be held for less than was asked
            copies = line.push(now, frame)
            if witness:
                witness.entered(now, port, number, frame, line.fate, copies)
            for at, copy in copies:
                if at <= now and not queue and not held:
                    self._hand_over(port, number, end.deliver, copy)
                elif not queue or at >= queue[-1][0]:
                    queue.append((at, number, end.deliver, copy))
                else:
                    self._held_ever += 1
                    entry = (at, self._held_ever, port, number, end.deliver, copy)
                    heapq.heappush(held, entry)
        if failures == BATCH:  # this will not pass, and `select` would call us for it for ever
            print(f"the wire reads no more on the way {DIRECTIONS[port]}: {why}", file=sys.stderr)
            self.remove(end.fd)

    def _deliver_due(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            at, _, port, number, deliver, frame = heapq.heappop(self._held)
            self._deliver_in_order(port, at)  # if we were woken late, others were due before it
            self._hand_over(port, number, deliver, frame)
        for port, queue in enumerate(self._in_order):
            if queue:
                self._deliver_in_order(port, now)

    def _deliver_in_order(self, port: int, until: float) -> None:
        queue = self._in_order[port]
        while queue and queue[0][0] <= until:
            _, number, deliver, frame = queue.popleft()
            self._hand_over(port, number, deliver, frame)

    def _hand_over(self, port: int, number: int, deliver: Deliver, frame: bytes) -> None:
        try:
            deliver(frame)
        except OSError:  # a spoilt IP header, a full socket, a peer that is gone
            self.undeliverable[port] += 1
            return
        if self._witness:
            self._witness.delivered(monotonic(), 1 - port, number, frame)


def sharpen_timers() -> None:
    """Ask Linux to wake us on time, not up to 50 µs late as is its default (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
