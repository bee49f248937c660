"""The token bucket: a burst, then a steady rate, continuously."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era4_framework.config import QuotaConfig
from era4_framework.policies.bucket import TokenBucket

TEN_AND_FIVE_A_SECOND = QuotaConfig(rate_per_s=5, burst=10)


def emptied(now=0.0):
    bucket = TokenBucket(TEN_AND_FIVE_A_SECOND)
    assert bucket.try_take(now, 10)
    return bucket


def test_of_a_burst_of_20_ten_pass_and_then_one_every_fifth_of_a_second():
    """Measured of Envoy's local limiter: 10 pass, 10 do not, then one at 0.2, 0.4, 0.6 ... s."""
    bucket = TokenBucket(TEN_AND_FIVE_A_SECOND)
    assert [bucket.try_take(0.0) for _ in range(20)] == 10 * [True] + 10 * [False]
    timeline = {n / 20: bucket.try_take(n / 20) for n in range(1, 41)}  # every 50 ms
    assert [at for at, passed in timeline.items() if passed] == [
        pytest.approx(n / 5) for n in range(1, 11)
    ]


@pytest.mark.parametrize("start", [-5.0, 0.0, 1234.567, 3e6])
def test_who_comes_exactly_on_time_always_passes(start):
    bucket = emptied(start)
    assert all(bucket.try_take(start + n * 0.2) for n in range(1, 10_000))


def test_what_a_silence_saves_ends_at_the_burst():
    bucket = emptied()
    assert [bucket.try_take(3600.0) for _ in range(11)] == 10 * [True] + [False]


def test_several_are_taken_together_or_not_at_all():
    bucket = TokenBucket(TEN_AND_FIVE_A_SECOND)
    assert bucket.try_take(0.0, 8)
    assert not bucket.try_take(0.0, 3)
    assert bucket.try_take(0.0, 2)
    assert not bucket.try_take(0.0)


@pytest.mark.parametrize("n", [11, 0, -1])
def test_a_number_that_it_never_holds_is_refused_by_name(n):
    with pytest.raises(ValueError, match=rf"n is {n}: accepted is 1 to the burst, 10"):
        TokenBucket(TEN_AND_FIVE_A_SECOND).try_take(0.0, n)


def test_a_clock_that_goes_back_takes_nothing_out():
    bucket = TokenBucket(TEN_AND_FIVE_A_SECOND)
    assert bucket.try_take(100.0)
    assert bucket.try_take(99.0, 9)


def test_a_clock_that_goes_back_fills_nothing():
    bucket = emptied(100.0)
    assert not bucket.try_take(99.0)
    assert not bucket.try_take(100.1)  # a tenth of a second is half a token
    assert bucket.try_take(100.2)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_never_more_than_burst_and_rate_allow(gaps):
    bucket, now, taken = TokenBucket(TEN_AND_FIVE_A_SECOND), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.try_take(now)
    assert taken <= 10 + 5 * now + 0.001


@given(st.floats(0, 5), st.integers(1, 10))
def test_after_the_wait_it_names_and_not_before_the_tokens_are_there(now, n):
    bucket = emptied()
    wait_s = bucket.wait_s(now, n)
    if wait_s > 0.001:
        assert not bucket.try_take(now + wait_s - 0.001, n)
    assert bucket.try_take(now + wait_s, n)


def test_who_need_not_wait_is_told_zero():
    assert TokenBucket(TEN_AND_FIVE_A_SECOND).wait_s(0.0) == 0.0
    assert emptied().wait_s(0.0) == pytest.approx(0.2)
    assert emptied().wait_s(0.0, 10) == pytest.approx(2.0)


@pytest.mark.parametrize(("n", "told"), [(1, 1), (5, 1), (6, 2), (10, 2)])
def test_retry_after_is_whole_seconds_rounded_up(n, told):
    assert emptied().retry_after_s(0.0, n) == told


def test_retry_after_never_says_at_once():
    assert TokenBucket(TEN_AND_FIVE_A_SECOND).retry_after_s(0.0) == 1


def test_its_repr_tells_what_is_left():
    assert repr(TokenBucket(TEN_AND_FIVE_A_SECOND)) == "<TokenBucket 10.0 of 10>"
    assert repr(emptied()) == "<TokenBucket 0.0 of 10>"
