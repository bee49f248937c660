"""How many retries all requests together may have: a budget that requests fill, after Finagle.

A count of attempts bounds the retries of one request. When everything fails, it still multiplies
the load on who is failing: three attempts are three times the load, and three such layers 27
times. A budget bounds the sum (finagle-core, RetryBudget.scala): every request deposits a share of
a retry, every retry withdraws a whole one, and what is older than the TTL is forgotten. A reserve
of `min_retries_per_s * ttl_s`, which is there from the start, serves who has few requests.

    balance = reserve + percent / 100 * deposits - withdrawals        (of the last `ttl_s` seconds)

So of N requests that fail at once on a fresh budget with Finagle's numbers (20 %, 10 per second,
10 s), 100 + N / 5 are retried. The TTL is counted in ten slices that expire whole, as in Finagle.
"""

from collections import deque
from dataclasses import dataclass

from era4_framework.config import BudgetConfig

SLICES = 10


@dataclass(slots=True)
class Slice:
    """What happened in a tenth of the TTL."""

    number: float
    deposits: int = 0
    withdrawals: int = 0


class RetryBudget:
    """One for each service that is called, shared by all requests to it."""

    def __init__(self, config: BudgetConfig) -> None:
        self._percent = config.percent
        self._reserve = config.min_retries_per_s * config.ttl_s
        self._slice_s = config.ttl_s / SLICES
        self._slices = deque([Slice(float("-inf"))])  # the last one is filled now
        self._deposits = 0  # in all slices
        self._withdrawals = 0

    def __repr__(self) -> str:
        return f"<RetryBudget deposits={self._deposits} withdrawals={self._withdrawals}>"

    def deposit(self, now: float) -> None:
        """Count a request (not its retries)."""
        self._move_on(now)
        self._slices[-1].deposits += 1
        self._deposits += 1

    def try_withdraw(self, now: float) -> bool:
        """Take one retry out if there is one; returns whether there was."""
        if self.balance(now) < 1:
            return False
        self._slices[-1].withdrawals += 1
        self._withdrawals += 1
        return True

    def balance(self, now: float) -> float:
        """How many retries may be made now.

        Below 0 when deposits have been forgotten before the retries that they paid for.
        """
        self._move_on(now)
        # counted in whole numbers: ten times 0.1, added up, is less than 1
        return self._reserve + self._percent * self._deposits / 100 - self._withdrawals

    def _move_on(self, now: float) -> None:
        number = now // self._slice_s
        if number <= self._slices[-1].number:
            return
        self._slices.append(Slice(number))
        while self._slices[0].number <= number - SLICES:
            expired = self._slices.popleft()
            self._deposits -= expired.deposits
            self._withdrawals -= expired.withdrawals
