"""When a breaker opens and for how long, as timelines: what the famous ones do, and ours."""

import pytest

from era4_framework.policies.breaker import Breaker, State, Verdict
from tests.era4.policies.timeline import ENVOY, HYSTRIX, OURS, RESILIENCE4J, call, tripped

SUCCESS, FAILURE, IGNORED = Verdict


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


def test_a_clock_read_before_it_closed_makes_no_cool_down_longer():
    breaker = tripped(ENVOY)
    call(breaker, SUCCESS, now=30.0)
    call(breaker, FAILURE, now=5.0, times=5)
    assert breaker.cool_at - breaker.since == 60.0
