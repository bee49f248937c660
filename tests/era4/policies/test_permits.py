"""How a breaker closes again: probes, what a permit is for, and the table of states."""

import pytest

from era4_framework.policies.breaker import TRANSITIONS, Breaker, Event, State, Verdict
from lab.docs import states
from tests.era4.policies.timeline import HYSTRIX, OURS, RESILIENCE4J, call, tripped

SUCCESS, FAILURE, IGNORED = Verdict


def test_one_probe_passes_after_cool_down():
    breaker = tripped(OURS)
    assert breaker.admit(0.99) is None
    assert breaker.state is State.OPEN
    assert breaker.admit(1.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(1.0) is None
    assert breaker.admit(99.0) is None


def test_a_probe_that_succeeds_closes_it_with_a_clean_record():
    breaker = tripped(OURS)
    call(breaker, SUCCESS, now=1.0)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=1.0, times=4)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=1.0)
    assert breaker.state is State.OPEN


def test_a_share_is_judged_by_what_came_after_the_probe():
    breaker = tripped(HYSTRIX)
    call(breaker, SUCCESS, now=5.0)
    call(breaker, FAILURE, now=5.0, times=19)
    assert breaker.state is State.CLOSED


def test_resilience4j_after_a_minute_ten_are_admitted_and_the_11th_is_refused():
    breaker = tripped(RESILIENCE4J)
    assert breaker.admit(59.9) is None
    probes = [breaker.admit(60.0) for _ in range(10)]
    assert all(probes)
    assert breaker.admit(60.0) is None
    for probe in probes[:9]:
        breaker.record(probe, SUCCESS, 60.1)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(60.1) is None
    breaker.record(probes[9], SUCCESS, 60.1)
    assert breaker.state is State.CLOSED


def test_of_ten_probes_one_failure_opens_it_and_the_others_come_too_late():
    breaker = tripped(RESILIENCE4J)
    probes = [breaker.admit(60.0) for _ in range(10)]
    breaker.record(probes[0], FAILURE, 61.0)
    assert (breaker.state, breaker.cool_at) == (State.OPEN, 121.0)
    for probe in probes[1:]:
        breaker.record(probe, SUCCESS, 62.0)
        breaker.record(probe, FAILURE, 62.0)
    assert (breaker.state, breaker.cool_at) == (State.OPEN, 121.0)
    assert len([breaker.admit(121.0) for _ in range(10)]) == 10


def test_a_straggler_from_before_the_trip_is_not_taken_for_the_probe():
    breaker = Breaker(OURS)
    stragglers = [breaker.admit(0.0), breaker.admit(0.0)]
    call(breaker, FAILURE, now=0.0, times=5)
    probe = breaker.admit(1.0)
    breaker.record(stragglers[0], SUCCESS, 1.1)
    assert breaker.state is State.HALF_OPEN
    breaker.record(stragglers[1], FAILURE, 1.1)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(1.1) is None
    breaker.record(probe, SUCCESS, 1.2)
    assert breaker.state is State.CLOSED


def test_a_straggler_does_not_count_after_the_breaker_has_closed_again():
    breaker = Breaker(OURS)
    stragglers = [breaker.admit(0.0) for _ in range(5)]
    call(breaker, FAILURE, now=0.0, times=5)
    call(breaker, SUCCESS, now=1.0)
    for straggler in stragglers:
        breaker.record(straggler, FAILURE, 1.1)
    assert breaker.state is State.CLOSED


def test_a_straggler_that_is_cancelled_frees_no_place_for_a_second_probe():
    breaker = Breaker(OURS)
    straggler = breaker.admit(0.0)
    call(breaker, FAILURE, now=0.0, times=5)
    assert breaker.admit(1.0)
    breaker.cancel(straggler, 1.1)
    assert breaker.admit(1.1) is None


@pytest.mark.parametrize("way", ["cancelled", "recorded as ignored"])
def test_a_probe_that_comes_to_nothing_gives_its_place_back(way):
    breaker = tripped(OURS)
    probe = breaker.admit(1.0)
    if way == "cancelled":
        breaker.cancel(probe, 1.1)
    else:
        breaker.record(probe, IGNORED, 1.1)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(1.1)
    assert breaker.admit(1.1) is None


def test_a_cancelled_call_frees_nothing_that_a_later_probe_could_use():
    breaker = Breaker(OURS)
    breaker.cancel(breaker.admit(0.0), 0.0)
    call(breaker, FAILURE, now=0.0, times=5)
    assert breaker.admit(1.0)
    assert breaker.admit(1.0) is None


def test_a_permit_counts_once():
    breaker = Breaker(OURS)
    permit = breaker.admit(0.0)
    for _ in range(10):
        breaker.record(permit, FAILURE, 0.0)
    assert breaker.state is State.CLOSED


def test_cancel_in_a_finally_frees_no_place_that_was_used():
    breaker = tripped(RESILIENCE4J)
    probe = breaker.admit(60.0)
    breaker.record(probe, SUCCESS, 60.0)
    breaker.cancel(probe, 60.0)
    assert len([p for p in (breaker.admit(60.0) for _ in range(20)) if p]) == 9


def test_to_ask_whether_it_admits_changes_nothing():
    breaker = tripped(OURS)
    assert not breaker.admits(0.9)
    assert breaker.admits(1.0)
    assert breaker.state is State.OPEN
    breaker.admit(1.0)
    assert not breaker.admits(1.0)
    assert Breaker(OURS).admits(0.0)


def test_a_clock_read_before_the_trip_opens_nothing():
    breaker = tripped(OURS, now=10.0)
    assert breaker.admit(9.0) is None
    assert not breaker.admits(9.0)
    assert breaker.cool_at == 11.0


def test_its_repr_tells_state_and_since_when():
    assert repr(tripped(OURS, now=3.25)) == "<Breaker OPEN since 3.25>"


def test_every_event_in_every_state_leads_where_the_table_says_or_cannot_happen():
    for state in State:
        for event in Event:
            breaker = Breaker(OURS)
            breaker.state = state
            if (state, event) in TRANSITIONS:
                breaker._on(event, 1.0)
                assert breaker.state is TRANSITIONS[state, event]
            else:
                with pytest.raises(KeyError):
                    breaker._on(event, 1.0)


def test_its_diagram_is_drawn_from_its_table():
    table = states.load("era4_framework.policies.breaker:TRANSITIONS")
    assert table == {
        ("CLOSED", "TRIP"): "OPEN",
        ("OPEN", "COOLED_DOWN"): "HALF_OPEN",
        ("HALF_OPEN", "PROBE_FAILED"): "OPEN",
        ("HALF_OPEN", "PROBES_PASSED"): "CLOSED",
    }
    drawn = states.draw("breaker", ["CLOSED . OPEN", ". HALF_OPEN ."], states.arrows(table))
    assert drawn.count("<tr><td>") == len(table)
