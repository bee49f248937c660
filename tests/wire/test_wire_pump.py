"""The pump's own promises: what is due first leaves first, and what is broken is left alone."""

from collections import deque

import pytest

from lab.wire import Knobs, Wire, pump
from lab.wire.pump import BATCH, End, Pump, Stranger

ORDERS, CONTROL = 5, 0  # descriptors that nobody opens: `select` is the test's


class Times:
    """In the place of clock and `select`: each wait ends as the test wrote it down."""

    def __init__(self, *waits: tuple[float, list[int]]) -> None:
        """waits: (when it ends, which descriptors are readable then)"""
        self.now = 0.0
        self.watched: list[list[int]] = []
        self._waits = deque(waits)

    def select(self, watched, _writing, _failing, patience):
        self.watched.append(list(watched))
        self.now, readable = self._waits.popleft()
        return [fd for fd in readable if fd in watched], [], []


def pumped(monkeypatch, times: Times, wire: Wire, read) -> list[bytes]:
    """What the pump hands to inventory until the control descriptor is readable."""
    came: list[bytes] = []
    monkeypatch.setattr(pump, "select", times.select)
    monkeypatch.setattr(pump, "monotonic", lambda: times.now)
    monkeypatch.setattr(pump.gc, "disable", lambda: None)  # this process is pytest's
    carrier = Pump(wire.lines)
    carrier.add(End(ORDERS, 0, read, came.append))
    carrier.run(CONTROL, control=lambda: False)
    return came


def taken(waiting: deque[bytes]) -> bytes:
    if not waiting:
        raise BlockingIOError
    return waiting.popleft()


@pytest.mark.parametrize("wakings", [(0.021, 0.036, 0.039), (1.0,)], ids=["in time", "late"])
def test_frames_come_out_in_the_order_of_their_times_however_late_the_pump_is_woken(
    monkeypatch, wakings
):
    wire = Wire(1, Knobs(delay_s=0.02, script=("delay:0.015", "deliver", "deliver")))
    first, second = deque([b"due at 35 ms", b"due at 20 ms"]), deque([b"due at 38 ms"])
    waits = [(0.0, [ORDERS]), (0.018, [ORDERS]), *((at, []) for at in wakings), (1.0, [CONTROL])]
    times = Times(*waits)
    came = pumped(monkeypatch, times, wire, lambda: taken(first if times.now == 0.0 else second))
    assert came == [b"due at 20 ms", b"due at 35 ms", b"due at 38 ms"]


def test_a_descriptor_that_fails_for_good_is_not_asked_for_ever(monkeypatch, capsys):
    def broken() -> bytes:
        raise OSError(77, "File descriptor in bad state")

    times = Times((0.0, [ORDERS]), (0.1, [ORDERS, CONTROL]))
    pumped(monkeypatch, times, Wire(1, Knobs()), broken)
    assert times.watched == [[ORDERS, CONTROL], [CONTROL]]
    assert "no more on the way there: [Errno 77] File descriptor in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failure", "times_in_a_row"), [(ConnectionRefusedError, BATCH - 1), (Stranger, 3 * BATCH)]
)
def test_a_failure_that_passes_ends_nothing(monkeypatch, failure, times_in_a_row):
    failures, waiting = [failure()] * times_in_a_row, deque([b"frame"])

    def read() -> bytes:
        if failures:
            raise failures.pop()
        return taken(waiting)

    times = Times(*[(0.0, [ORDERS])] * 4, (0.0, [CONTROL]))
    assert pumped(monkeypatch, times, Wire(1, Knobs()), read) == [b"frame"]
