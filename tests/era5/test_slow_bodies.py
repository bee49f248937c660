"""Who sends or reads a large body too slowly: it ends, its place is free, and it is told the truth.

Wires (wires.py) on a clock that the test turns.
"""

import random
import time

import pytest

from era5_sidecar.bodies import Patience
from tests.era5.test_exchange import LIMITS, OK, built, large, problem, settled
from tests.era5.wires import House, Wire

FIRST = b"a" * 5000  # more than is kept, so it goes on
RATE = LIMITS.least_body_bytes_per_s
DEADLINE_S = 3.0  # of a request, unless it says another
EVERY_S = 0.5
ENOUGH_S = 60.0
HUGE = 10**9
TRICKLE_BYTES = 66_000  # so much is read at once, and so rarely that it is too little
OPEN = b"PUT /open/a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def house(monkeypatch) -> House:
    monkeypatch.setattr("time.monotonic", Clock())
    return built(monkeypatch)


def passes(house: House, seconds: float) -> None:
    time.monotonic.now_s += seconds
    house.sweep.look(time.monotonic())
    while house.later:
        house.later.popleft()()


def sends(house: House, caller: Wire, bytes_per_s: float, most_s: float = ENOUGH_S) -> float:
    """It sends so much, every now and then, until it has its answer; how long that took."""
    took_s = 0.0
    while took_s < most_s and not caller.heard and not caller.is_gone:
        passes(house, EVERY_S)
        took_s += EVERY_S
        if not caller.heard:
            caller.say(b"a" * max(1, int(bytes_per_s * EVERY_S)))
    return took_s


def by(house: House, way: str, length: int = HUGE, also: bytes = b"") -> Wire:
    """A caller from outside, or our own service, whose large body has begun."""
    if way == "inbound":
        return house.come_in(OPEN % (length, also) + FIRST)
    return house.go_out(large(length=length) + FIRST)


BOTH_WAYS = pytest.mark.parametrize("way", ["inbound", "outbound"])


# Senders.


@BOTH_WAYS
def test_a_dribbler_is_told_so_when_its_deadline_has_passed_and_its_place_is_free(house, way):
    caller = by(house, way)
    up = house.asked[0]
    assert sends(house, caller, bytes_per_s=2) == pytest.approx(DEADLINE_S, abs=EVERY_S)
    assert b"HTTP/1.1 408" in caller.heard
    assert b"X-Certain: false\r\n" in caller.heard  # who has got a part may have done something
    assert up.is_cut
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


def test_strangers_who_dribble_leave_room_for_others_after_that(house):
    slow = [by(house, "inbound") for _ in range(2)]
    assert b"503" in house.come_in(b"GET /open/a HTTP/1.1\r\nHost: h\r\n\r\n").heard
    for _ in range(int(DEADLINE_S / EVERY_S) + 1):
        passes(house, EVERY_S)
        for each in slow:
            each.say(b"a")
    caller = house.come_in(b"GET /open/a HTTP/1.1\r\nHost: h\r\n\r\n")
    house.asked[-1].say(OK)
    assert caller.heard == OK


def test_a_caller_that_says_when_it_gives_up_is_believed(house):
    caller = by(house, "inbound", also=b"X-Deadline-Ms: 1000\r\n")
    assert sends(house, caller, bytes_per_s=2) == pytest.approx(1.0, abs=EVERY_S)


@BOTH_WAYS
def test_who_is_a_little_too_slow_is_waited_for_longer_and_not_for_ever(house, way):
    took_s = sends(house, by(house, way), bytes_per_s=RATE * 0.75)
    assert 2 * DEADLINE_S < took_s <= DEADLINE_S / 0.25


@BOTH_WAYS
@pytest.mark.parametrize("bytes_per_s", [RATE * 1.05, 100_000])
def test_who_is_fast_enough_is_served_long_after_its_deadline(house, way, bytes_per_s):
    length = int(bytes_per_s * 40)
    caller = by(house, way, len(FIRST) + length)
    left = length
    while left:
        passes(house, EVERY_S)
        piece = b"a" * min(left, int(bytes_per_s * EVERY_S))
        caller.say(piece)
        left -= len(piece)
    assert caller.heard == b""
    passes(house, 0.1)  # the answer has its own time
    house.asked[0].say(OK)
    assert caller.heard == OK
    settled(house)


@BOTH_WAYS
def test_what_it_has_earned_is_spent_in_a_rest_but_never_more_than_the_longest_silence(house, way):
    caller = by(house, way)
    caller.say(b"a" * 100 * RATE)  # enough for 100 s
    passes(house, LIMITS.body_s - 1)
    assert caller.heard == b""
    caller.say(b"a")
    passes(house, 2)
    assert b"HTTP/1.1 408" in caller.heard
    settled(house)


def test_framing_that_never_holds_a_byte_earns_nothing(house):
    head = b"PUT /open/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    caller = house.come_in(head + b"1388\r\n" + FIRST + b"\r\n5;")
    for _ in range(int(DEADLINE_S / EVERY_S) + 1):
        passes(house, EVERY_S)
        if not caller.heard:
            caller.say(b"x" * 1000)
    assert b"HTTP/1.1 40" in caller.heard
    settled(house)


@BOTH_WAYS
def test_how_long_an_instance_does_not_read_is_not_counted_against_the_sender(house, way):
    caller = by(house, way)
    up = house.asked[0]
    up.listen(False)
    caller.say(b"a" * 200_000)
    passes(house, LIMITS.body_s - 1)
    up.listen()
    caller.say(b"a" * RATE)
    passes(house, 2)
    assert caller.heard == b""


@BOTH_WAYS
def test_an_instance_that_reads_too_slowly_ends_too_and_is_to_blame(house, way):
    caller = by(house, way)
    up = house.asked[0]
    up.listen(False)
    caller.say(b"a" * 3_000_000)
    up.read(TRICKLE_BYTES)
    taken_s = 0.0
    while not caller.heard and taken_s < 3_000_000 / RATE:
        passes(house, LIMITS.body_s - 1)
        taken_s += LIMITS.body_s - 1
        up.read(TRICKLE_BYTES)
    assert b" 502 " in caller.heard
    assert problem(caller)["certain"] is False
    settled(house)


def test_without_a_least_rate_only_silences_count(monkeypatch):
    patience = Patience(3.0, 30.0, 0)
    patience.wait(2.9, 1)
    assert patience.left_s == 30.0


# Readers.


@BOTH_WAYS
def test_who_reads_a_long_answer_in_a_trickle_is_cut(house, way):
    get = b"GET /open/a HTTP/1.1\r\nHost: h\r\n\r\n"
    caller = (
        house.come_in(get) if way == "inbound" else house.go_out(get.replace(b"h", b"inventory"))
    )
    caller.listen(False)
    house.asked[0].say(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"a" * 3_000_000)
    caller.read(TRICKLE_BYTES)
    taken_s = 0.0
    while not caller.is_cut and taken_s < 3_000_000 / RATE:
        passes(house, LIMITS.body_s - 1)
        taken_s += LIMITS.body_s - 1
        caller.read(TRICKLE_BYTES)
    assert caller.is_cut
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


def test_an_answer_may_trickle_as_one_of_events_does(house):
    caller = house.come_in(b"GET /open/a HTTP/1.1\r\nHost: h\r\n\r\n")
    up = house.asked[0]
    up.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        passes(house, LIMITS.body_s - 1)
        up.say(b"1\r\na\r\n")
    up.say(b"0\r\n\r\n")
    assert caller.heard.endswith(b"1\r\na\r\n0\r\n\r\n")
    settled(house)


# Patience itself.


@pytest.mark.parametrize("seed", range(20))
def test_patience_lasts_no_longer_than_grace_and_what_its_bytes_are_worth(seed):
    rng = random.Random(seed)
    patience, waited_s, length = Patience(3.0, 30.0, 1000), 0.0, 0
    while patience.left_s > 0:
        step_s, come = rng.uniform(0, 1), rng.randrange(900)
        patience.wait(step_s, come)
        waited_s += step_s
        length += come
        assert patience.left_s <= 30.0
        assert waited_s <= 3.0 + length / 1000 + 1e-6 or patience.left_s <= 0
