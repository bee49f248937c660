"""Our retry budget beside gRPC's retry throttling (gRFC A6): what it can express, and what not.

gRPC keeps one count for each server: a failed attempt takes 1, a success gives `ratio`, and nothing
is sent again while at most half of `max_tokens` is left. Five differences, each of them a test:

1. in the first seconds of an outage both can be set to the same schedule
2. gRPC waits for successes to allow retries again, ours for time to pass
3. gRPC counts failures, ours counts what was sent again: failures that nobody repeats cost nothing
4. gRPC is paid by successes, ours by requests: in a long outage a share of them is sent again
5. what gRPC can save up is bounded by `max_tokens`, ours by the requests of the last `ttl_s`
"""

from dataclasses import dataclass

import pytest

from era4_framework.config import BudgetConfig
from era4_framework.policies.budget import RetryBudget

TWO_AT_MOST = BudgetConfig(percent=0, min_retries_per_s=0.2, ttl_s=10)  # in ten seconds
A_TENTH = BudgetConfig(percent=10, min_retries_per_s=0.2, ttl_s=10)


@dataclass
class Throttle:
    """gRPC's: `max_tokens` 10 and `ratio` 0.1, as in its specification; counted in tenths."""

    tokens: int = 100

    def fail(self) -> bool:
        """An attempt failed; whether it may be sent again."""
        self.tokens = max(0, self.tokens - 10)
        return self.tokens > 50

    def succeed(self) -> None:
        self.tokens = min(100, self.tokens + 1)


def attempts_of_grpc(throttle: Throttle, requests: int) -> list[int]:
    """All fail; each may be tried twice: `maxAttempts` 2."""
    attempts = []
    for _ in range(requests):
        is_sent_again = throttle.fail()
        attempts.append(1 + is_sent_again)
        if is_sent_again:
            throttle.fail()
    return attempts


def attempts_of_ours(budget: RetryBudget, requests: int, now: float = 0.0) -> list[int]:
    attempts = []
    for _ in range(requests):
        budget.deposit(now)
        attempts.append(1 + budget.try_withdraw(now))
    return attempts


def test_1_at_first_both_try_2_2_1_1_times():
    assert attempts_of_grpc(Throttle(), 6) == [2, 2, 1, 1, 1, 1]
    assert attempts_of_ours(RetryBudget(TWO_AT_MOST), 6) == [2, 2, 1, 1, 1, 1]


def test_2_after_ten_seconds_ours_tries_again_and_grpc_does_not():
    throttle, budget = Throttle(), RetryBudget(TWO_AT_MOST)
    attempts_of_grpc(throttle, 4)
    attempts_of_ours(budget, 4)
    assert attempts_of_grpc(throttle, 4) == [1, 1, 1, 1]
    assert attempts_of_ours(budget, 4, now=10.0) == [2, 2, 1, 1]


@pytest.mark.parametrize(("successes", "may_repeat"), [(60, False), (61, True)])
def test_2_after_61_successes_grpc_tries_again(successes, may_repeat):
    throttle = Throttle()
    attempts_of_grpc(throttle, 20)  # nothing is left
    for _ in range(successes):
        throttle.succeed()
    assert throttle.fail() is may_repeat


def test_3_failures_that_nobody_repeats_spend_grpcs_count_and_not_ours():
    throttle, budget = Throttle(), RetryBudget(TWO_AT_MOST)
    for _ in range(5):
        throttle.fail()
        budget.deposit(0.0)
    assert not throttle.fail()
    assert budget.try_withdraw(0.0)


def test_4_in_a_long_outage_ours_repeats_a_tenth_and_grpc_nothing():
    throttle, budget = Throttle(), RetryBudget(A_TENTH)
    assert sum(attempts_of_grpc(throttle, 1000)) == 1000 + 2
    assert sum(attempts_of_ours(budget, 1000)) == 1000 + 2 + 100


def test_5_a_long_calm_saves_more_retries_with_ours():
    throttle, budget = Throttle(), RetryBudget(A_TENTH)
    for _ in range(1000):
        throttle.succeed()
        budget.deposit(0.0)
    assert sum(attempts_of_grpc(throttle, 200)) == 200 + 2
    assert sum(attempts_of_ours(budget, 200)) == 200 + 2 + 100 + 20
