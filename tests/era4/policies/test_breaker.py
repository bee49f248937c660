"""The breaker as timelines: what the famous ones do, then what permits are for."""

import pytest

from era4_framework.config import BreakerConfig
from era4_framework.policies.breaker import TRANSITIONS, Breaker, Event, State, Verdict
from lab.docs import states

SUCCESS, FAILURE, IGNORED = Verdict

HYSTRIX = BreakerConfig(
    consecutive_failures=0,
    failure_percent=50,
    least_calls=20,
    window_calls=1000,
    window_s=10,
    cool_down_s=5,
)
RESILIENCE4J = BreakerConfig(
    consecutive_failures=0,
    failure_percent=50,
    least_calls=100,
    window_calls=100,
    window_s=3600,
    cool_down_s=60,
    probes=10,
)
ENVOY = BreakerConfig(
    consecutive_failures=5, cool_down_s=30, cool_down_growth_s=30, longest_cool_down_s=300
)
OURS = BreakerConfig(consecutive_failures=5, cool_down_s=1.0)


def call(breaker, verdict, now, times=1):
    """So many calls, one after another, that come to this."""
    for _ in range(times):
        permit = breaker.admit(now)
        assert permit is not None, f"{breaker} admits nobody at {now}"
        breaker.record(permit, verdict, now)


def tripped(config, now=0.0):
    breaker = Breaker(config)
    while breaker.state is State.CLOSED:
        call(breaker, FAILURE, now)
    return breaker


# What it opens for.


def test_hystrix_19_failures_are_too_few_to_judge_by_and_20_open():
    breaker = Breaker(HYSTRIX)
    call(breaker, FAILURE, now=0.0, times=19)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN


def test_hystrix_half_of_20_is_enough_and_less_is_not():
    breaker = Breaker(HYSTRIX)
    call(breaker, SUCCESS, now=0.0, times=11)
    call(breaker, FAILURE, now=0.0, times=10)
    assert breaker.state is State.CLOSED  # 10 of 21
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN  # 11 of 22


def test_hystrix_failures_older_than_the_window_do_not_count():
    breaker = Breaker(HYSTRIX)
    call(breaker, FAILURE, now=0.0, times=10)
    call(breaker, FAILURE, now=5.0, times=9)
    call(breaker, FAILURE, now=10.1, times=10)
    assert breaker.state is State.CLOSED  # 19 within ten seconds
    call(breaker, FAILURE, now=14.9)
    assert breaker.state is State.OPEN


def test_hystrix_after_five_seconds_one_is_admitted_and_if_it_fails_five_more_pass():
    breaker = tripped(HYSTRIX)
    assert breaker.admit(4.9) is None
    probe = breaker.admit(5.1)
    assert probe is not None
    assert breaker.admit(5.1) is None
    breaker.record(probe, FAILURE, 5.2)
    assert breaker.admit(10.1) is None
    assert breaker.admit(10.2) is not None
    assert breaker.admit(10.2) is None


def test_resilience4j_99_failures_are_too_few_to_judge_by_and_the_100th_opens():
    breaker = Breaker(RESILIENCE4J)
    call(breaker, FAILURE, now=0.0, times=99)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN


@pytest.mark.parametrize("last", [SUCCESS, FAILURE])
def test_resilience4j_exactly_50_of_100_open_whichever_comes_last(last):
    breaker = Breaker(RESILIENCE4J)
    first = FAILURE if last is SUCCESS else SUCCESS
    call(breaker, first, now=0.0, times=50)
    call(breaker, last, now=0.0, times=49)
    assert breaker.state is State.CLOSED
    call(breaker, last, now=0.0)
    assert breaker.state is State.OPEN


def test_resilience4j_49_of_100_do_not_open():
    breaker = Breaker(RESILIENCE4J)
    call(breaker, FAILURE, now=0.0, times=49)
    call(breaker, SUCCESS, now=0.0, times=51)
    assert breaker.state is State.CLOSED


def test_resilience4j_only_the_last_hundred_calls_count():
    breaker = Breaker(RESILIENCE4J)
    call(breaker, SUCCESS, now=0.0, times=1000)
    call(breaker, FAILURE, now=0.0, times=49)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN


def test_five_failures_in_a_row_open():
    breaker = Breaker(OURS)
    call(breaker, FAILURE, now=0.0, times=4)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN


def test_a_success_in_between_begins_the_row_anew():
    breaker = Breaker(OURS)
    for _ in range(10):
        call(breaker, FAILURE, now=0.0, times=4)
        call(breaker, SUCCESS, now=0.0)
    assert breaker.state is State.CLOSED


def test_what_says_nothing_neither_counts_nor_interrupts_the_row():
    breaker = Breaker(OURS)
    call(breaker, IGNORED, now=0.0, times=100)
    call(breaker, FAILURE, now=0.0, times=4)
    call(breaker, IGNORED, now=0.0, times=100)
    assert breaker.state is State.CLOSED
    call(breaker, FAILURE, now=0.0)
    assert breaker.state is State.OPEN


# For how long.


def test_the_cool_down_is_constant_by_default():
    breaker = tripped(OURS)
    for trip in range(1, 10):
        assert breaker.cool_at == trip * 1.0
        call(breaker, FAILURE, now=breaker.cool_at)


def test_envoy_every_further_trip_adds_30_s_up_to_300():
    breaker = tripped(ENVOY)
    cool_downs = []
    for _ in range(12):
        cool_downs.append(breaker.cool_at - breaker.since)
        call(breaker, FAILURE, now=breaker.cool_at)
    assert cool_downs == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_envoy_who_returns_and_fails_at_once_is_sent_away_for_longer():
    breaker = tripped(ENVOY)
    call(breaker, SUCCESS, now=30.0)  # the probe
    call(breaker, FAILURE, now=30.0, times=5)
    assert breaker.cool_at == 30.0 + 60.0


@pytest.mark.parametrize(
    ("good_s", "next_s"), [(9.5, 120), (10.0, 90), (20.0, 60), (30.0, 30), (99.0, 30)]
)
def test_envoy_each_ten_seconds_of_good_behaviour_forget_one_trip(good_s, next_s):
    breaker = tripped(ENVOY)
    for _ in range(2):
        call(breaker, FAILURE, now=breaker.cool_at)
    closed_at = breaker.cool_at
    call(breaker, SUCCESS, now=closed_at)
    call(breaker, FAILURE, now=closed_at + good_s, times=5)
    assert breaker.cool_at - breaker.since == next_s


# What closes it again.


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


# What a permit is for.


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


# What is asked without being changed; time; the table.


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


def test_a_clock_read_before_it_closed_makes_no_cool_down_longer():
    breaker = tripped(ENVOY)
    call(breaker, SUCCESS, now=30.0)
    call(breaker, FAILURE, now=5.0, times=5)
    assert breaker.cool_at - breaker.since == 60.0


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
