"""One moment for all hops: what is left shrinks, and a header is read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era4_framework.policies.deadline import BadDeadline, Deadline

moments = st.floats(0, 1e9)


def test_what_is_left_shrinks_with_time_and_below_zero():
    deadline = Deadline.after(100.0, 3.0)
    assert deadline.left_s(100.0) == 3.0
    assert deadline.left_s(102.5) == 0.5
    assert deadline.left_s(103.5) == -0.5


def test_a_header_says_the_whole_milliseconds_that_are_left():
    deadline = Deadline.after(100.0, 3.0)
    assert deadline.header(100.5) == "2500"
    assert deadline.header(102.9996) == "0"
    assert deadline.header(999.0) == "0"


def test_even_at_once_less_is_told_than_was_granted():
    assert Deadline.after(100.0, 3.0).header(100.0) == "2999"
    assert Deadline.parse("2999", 50.0).header(50.0) == "2998"


@given(moments, st.integers(1, 999_999_999), st.floats(0, 10))
def test_what_is_sent_on_is_strictly_less_than_what_came_in(now, granted_ms, later_s):
    told = int(Deadline.parse(str(granted_ms), now).header(now + later_s))
    assert 0 <= told < granted_ms


@given(moments, st.floats(0.001, 3600), st.lists(st.floats(0, 0.1), min_size=1, max_size=50))
def test_along_a_chain_of_services_every_hop_has_less_until_nothing_is_left(now, seconds, hops):
    told = Deadline.after(now, seconds).header(now)
    assert int(told) < seconds * 1000
    for took_s in hops:
        sent_on = Deadline.parse(told, now).header(now + took_s)
        assert int(sent_on) < int(told) or sent_on == told == "0"
        told = sent_on


def test_a_request_that_runs_in_a_circle_ends():
    told = "50"
    for _ in range(50):
        told = Deadline.parse(told, 0.0).header(0.0)  # hops that take no time at all
    assert told == "0"


def test_what_was_received_counts_from_its_arrival():
    deadline = Deadline.parse("1500", 10.0)
    assert deadline.left_s(10.0) == 1.5
    assert Deadline.parse("0", 10.0).left_s(10.0) == 0.0
    assert Deadline.parse("999999999", 0.0).left_s(0.0) == 999999.999


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+5", " 5", "5 ", "1.5", "1e3", "1_000", "0x10", "soon", "٣", "²", "1" * 10],
)
def test_a_header_that_is_no_whole_number_is_refused_and_named(text):
    with pytest.raises(BadDeadline, match="accepted is a whole number of milliseconds") as refusal:
        Deadline.parse(text, 0.0)
    assert repr(text) in str(refusal.value)


def test_of_a_long_header_only_the_beginning_is_quoted():
    with pytest.raises(BadDeadline) as refusal:
        Deadline.parse("9" * 60_000, 0.0)
    assert len(str(refusal.value)) < 200


def test_a_try_may_take_its_own_time_and_never_more_than_what_is_left():
    deadline = Deadline.after(0.0, 3.0)
    assert deadline.try_timeout_s(0.0, 0.5) == 0.5
    assert deadline.try_timeout_s(2.75, 0.5) == 0.25
    assert deadline.try_timeout_s(3.5, 0.5) == 0.0


def test_of_two_deadlines_the_sooner_holds():
    ours, theirs = Deadline.after(0.0, 3.0), Deadline.parse("500", 0.0)
    assert ours.sooner(theirs) is theirs
    assert theirs.sooner(ours) is theirs
    assert Deadline.parse("9000", 0.0).sooner(ours) is ours
    assert ours.sooner(Deadline.after(2.0, 2.0)) is ours  # it began with more, and ends first


@given(moments, st.integers(1, 999_999_999), st.floats(0.001, 100), st.floats(0, 10))
def test_our_own_deadline_never_tells_more_than_the_one_received(now, granted_ms, own_s, later_s):
    received = Deadline.parse(str(granted_ms), now)
    holds = received.sooner(Deadline.after(now, own_s))
    assert int(holds.header(now + later_s)) < granted_ms
