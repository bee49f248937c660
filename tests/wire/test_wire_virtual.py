"""Two endpoints on virtual time: deterministic, quick, and never asleep."""

import time

import pytest

from lab.wire import Knobs
from lab.wire.virtual import Standstill, Virtual

BAD = Knobs(
    loss=0.2, duplicate=0.1, reorder=0.2, corrupt=0.1, delay_s=0.01, jitter_s=0.005, rate_bps=1e6
)


class Repeater:
    """Stop and wait: says each number until the other side has repeated it."""

    def __init__(self, last):
        self.last = last
        self.said = 0
        self.due = 0.0

    def receive(self, frame, now):
        if int.from_bytes(frame, "big") == self.said and self.said < self.last:
            self.said += 1
            self.due = now

    def outgoing(self, now):
        if now < self.due or self.said == self.last:
            return []
        self.due = now + 0.1
        return [self.said.to_bytes(4, "big")]

    def next_wakeup(self):
        return self.due if self.said < self.last else None

    def wake(self, now):
        pass


class Echo:
    def __init__(self):
        self.answers = []

    def receive(self, frame, now):
        self.answers.append(frame)

    def outgoing(self, now):
        answers, self.answers = self.answers, []
        return answers

    def next_wakeup(self):
        return None

    def wake(self, now):
        raise AssertionError("never asked to be woken")


def talk(seed, knobs=BAD, last=50):
    virtual = Virtual(seed, knobs, Repeater(last), Echo())
    assert virtual.run(until=1000.0, done=lambda: virtual.endpoints[0].said == last), f"seed {seed}"
    return virtual


def test_one_seed_is_one_history_byte_for_byte():
    assert talk(11).history() == talk(11).history()
    assert talk(11).history() != talk(12).history()


def test_the_history_says_what_the_wire_did():
    words = "\n".join(talk(11).history())
    for word in ("send", "deliver", "drop (lost)", "duplicate", "corrupt (bit", "reorder (held"):
        assert word in words
    assert words.startswith("0.000000000 orders->inventory #0 send 4 bytes 2144df1c")


def test_virtual_time_takes_no_time():
    started = time.monotonic()
    virtual = talk(1, Knobs(delay_s=5.0), last=50)
    assert virtual.now >= 500.0
    assert time.monotonic() - started < virtual.now / 10


def test_a_perfect_wire_takes_exactly_the_delay():
    virtual = talk(1, Knobs(delay_s=0.02), last=1)
    assert virtual.now == pytest.approx(0.04)


def test_the_clock_stops_at_until_when_nothing_is_done():
    virtual = Virtual(1, Knobs(loss=1.0), Repeater(5), Echo())
    assert not virtual.run(until=3.0, done=lambda: virtual.endpoints[0].said == 5)
    assert virtual.now == 3.0


def test_planned_actions_happen_at_their_time():
    virtual = Virtual(1, Knobs(partitioned=True), Repeater(5), Echo())
    for line in virtual.wire.lines:
        virtual.at(2.0, lambda line=line: setattr(line, "knobs", Knobs()))
    assert virtual.run(until=9.0, done=lambda: virtual.endpoints[0].said == 5)
    assert 2.0 <= virtual.now < 2.2


def test_nothing_left_to_happen_ends_the_run():
    virtual = Virtual(1, Knobs(), Echo(), Echo())
    assert not virtual.step()
    assert virtual.run(until=7.0)
    assert virtual.now == 7.0


def test_a_timer_that_never_moves_is_reported_and_not_a_hang():
    spinner = Repeater(1)
    spinner.next_wakeup = lambda: 0.0
    with pytest.raises(Standstill, match="wake-ups"):
        Virtual(1, Knobs(loss=1.0), spinner, Echo()).run(until=1.0)
