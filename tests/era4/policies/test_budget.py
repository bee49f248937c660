"""Retries that all requests share: Finagle's numbers, and what a storm comes to."""

import pytest

from era4_framework.config import BudgetConfig
from era4_framework.policies.budget import RetryBudget

FINAGLE = BudgetConfig(percent=20, min_retries_per_s=10, ttl_s=10)
NO_RESERVE = BudgetConfig(percent=20, min_retries_per_s=0, ttl_s=10)


def withdrawn(budget, now):
    """How many retries it grants until it refuses."""
    granted = 0
    while budget.try_withdraw(now):
        granted += 1
    return granted


def deposit(budget, now, times):
    for _ in range(times):
        budget.deposit(now)


@pytest.mark.parametrize("failures", [5, 100, 1000, 5000])
def test_of_n_failures_at_once_a_fresh_budget_retries_100_and_a_fifth(failures):
    budget = RetryBudget(FINAGLE)
    deposit(budget, 0.0, failures)
    assert withdrawn(budget, 0.0) == 100 + failures / 5


def test_the_reserve_is_there_from_the_start():
    assert withdrawn(RetryBudget(FINAGLE), 0.0) == 100


def test_five_requests_pay_for_one_retry():
    budget = RetryBudget(NO_RESERVE)
    deposit(budget, 0.0, 4)
    assert not budget.try_withdraw(0.0)
    budget.deposit(0.0)
    assert budget.try_withdraw(0.0)
    assert not budget.try_withdraw(0.0)


def test_ten_times_ten_percent_is_one_whole_retry():
    budget = RetryBudget(BudgetConfig(percent=10, min_retries_per_s=0))
    deposit(budget, 0.0, 10)
    assert withdrawn(budget, 0.0) == 1


def test_more_than_a_hundred_percent_pays_for_several_retries_each():
    budget = RetryBudget(BudgetConfig(percent=300, min_retries_per_s=0))
    budget.deposit(0.0)
    assert withdrawn(budget, 0.0) == 3


def test_nothing_in_nothing_out():
    budget = RetryBudget(BudgetConfig(percent=0, min_retries_per_s=0))
    deposit(budget, 0.0, 1000)
    assert not budget.try_withdraw(0.0)


@pytest.mark.parametrize(("now", "granted"), [(9.9, 1), (10.0, 0), (11.0, 0), (1000.0, 0)])
def test_a_deposit_is_forgotten_after_ten_slices_of_a_second(now, granted):
    budget = RetryBudget(NO_RESERVE)
    deposit(budget, 0.5, 5)
    assert withdrawn(budget, now) == granted


def test_slices_expire_one_by_one():
    budget = RetryBudget(NO_RESERVE)
    for second in range(10):
        deposit(budget, second + 0.5, 5)
    assert [budget.balance(now) for now in (9.5, 10.5, 12.5, 19.5)] == [10, 9, 7, 0]


def test_a_withdrawal_is_forgotten_too_and_the_reserve_is_whole_again():
    budget = RetryBudget(FINAGLE)
    assert withdrawn(budget, 0.5) == 100
    assert withdrawn(budget, 9.9) == 0
    assert withdrawn(budget, 10.0) == 100


def test_deposits_forgotten_before_what_they_paid_for_leave_a_debt():
    budget = RetryBudget(NO_RESERVE)
    deposit(budget, 0.0, 5)
    assert budget.try_withdraw(5.0)
    assert budget.balance(10.0) == -1
    deposit(budget, 10.0, 5)
    assert not budget.try_withdraw(10.0)
    assert budget.balance(15.0) == 1


def test_a_refused_withdrawal_costs_nothing():
    budget = RetryBudget(NO_RESERVE)
    for _ in range(100):
        assert not budget.try_withdraw(0.0)
    assert budget.balance(0.0) == 0


def test_a_clock_read_earlier_counts_as_now():
    budget = RetryBudget(NO_RESERVE)
    deposit(budget, 12.0, 5)
    deposit(budget, 3.0, 5)
    assert budget.balance(12.0) == 2
    assert budget.balance(21.9) == 2
    assert budget.balance(22.0) == 0


def test_threads_that_overtake_each_other_do_not_fill_the_memory():
    budget = RetryBudget(FINAGLE)
    for _ in range(1000):
        deposit(budget, 12.0, 1)
        deposit(budget, 11.9, 1)
    assert len(budget._slices) <= 10


def test_in_a_storm_the_load_grows_by_the_percentage_and_the_reserve_and_no_more():
    """Everything fails for a minute, 1000 requests a second, each would like two more attempts."""
    budget, retries = RetryBudget(FINAGLE), 0
    for request in range(60_000):
        now = request / 1000
        budget.deposit(now)
        retries += budget.try_withdraw(now)
        retries += budget.try_withdraw(now)
    assert 1.20 <= (60_000 + retries) / 60_000 < 1.22


def test_its_repr_tells_what_it_counted():
    budget = RetryBudget(FINAGLE)
    deposit(budget, 0.0, 3)
    budget.try_withdraw(0.0)
    assert repr(budget) == "<RetryBudget deposits=3 withdrawals=1>"
