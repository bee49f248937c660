"""Full jitter: anywhere below a ceiling that doubles up to the cap."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era4_framework.config import BackoffConfig
from era4_framework.policies.backoff import Backoff


@given(
    seed=st.integers(),
    retry=st.integers(0, 5000),
    base_s=st.floats(0.001, 3600),
    times=st.floats(1, 1000),
)
def test_a_wait_is_below_the_doubled_base_and_the_cap(seed, retry, base_s, times):
    cap_s = min(3600.0, base_s * times)
    wait_s = Backoff(BackoffConfig(base_s, cap_s), Random(seed)).wait_s(retry)
    assert 0 <= wait_s < cap_s
    assert wait_s < base_s * 2 ** min(retry, 100)


def test_the_ceiling_doubles_from_base_to_cap():
    backoff = Backoff(BackoffConfig(base_s=0.025, cap_s=0.25), Random(1))
    assert [backoff.ceiling_s(n) for n in range(6)] == [0.025, 0.05, 0.1, 0.2, 0.25, 0.25]


def test_who_must_leave_alone_whom_it_asks_waits_so_long_and_a_random_share_besides():
    backoff = Backoff(BackoffConfig(base_s=0.025), Random(1))
    waits = [backoff.wait_s(0, rest_s=2.0) for _ in range(100)]
    assert min(waits) >= 2.0 and max(waits) < 2.025
    assert len(set(waits)) > 90


@pytest.mark.parametrize("retry", [0, 2, 9])
def test_waits_fill_the_whole_range_evenly(seed, retry):
    backoff = Backoff(BackoffConfig(), Random(seed))
    ceiling_s = backoff.ceiling_s(retry)
    waits = [backoff.wait_s(retry) / ceiling_s for _ in range(4000)]
    for tenth in range(10):
        share = sum(tenth / 10 <= wait < (tenth + 1) / 10 for wait in waits)
        assert abs(share - 400) < 4 * (4000 * 0.1 * 0.9) ** 0.5


def test_two_clients_that_failed_together_do_not_come_back_together():
    one, other = (Backoff(BackoffConfig(), Random(seed)) for seed in (1, 2))
    assert one.wait_s(3) != other.wait_s(3)


def test_the_same_seed_waits_the_same():
    one, other = (Backoff(BackoffConfig(), Random(7)) for _ in range(2))
    assert [one.wait_s(n) for n in range(9)] == [other.wait_s(n) for n in range(9)]
