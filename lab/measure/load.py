"""Steady load: orders that fall due at even intervals, whatever became of those before them.

A customer who waits for an answer before the next order stops asking just when the service is
slow, so the slow answers are hardly counted ("coordinated omission", G. Tene: How NOT to Measure
Latency, 2015). Here each order has its due time, and its latency counts from there.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.contract import Customer, NoOutcome

SKUS = 400  # as many products take turns, so that none is sold out
CUSTOMERS = 48  # orders that can be under way at once


@dataclass(frozen=True)
class Asked:
    """One order: when it was due, how long from then to its outcome, and what became of it."""

    due_s: float  # seconds of time.monotonic
    took_s: float
    outcome: str  # of the contract, or the name of the exception

    @property
    def is_failed(self) -> bool:
        return self.outcome not in ("placed", "already_placed")


class Load:
    """Customers who order steadily in the background. Leaving the `with` block stops them."""

    def __init__(self, customer: Callable[[], Customer], rate_per_s: float, prefix: str) -> None:
        """`customer` returns one customer more; `prefix` begins the ids of all orders."""
        self._rate_per_s = rate_per_s
        self._prefix = prefix
        self._numbers = itertools.count()
        self._stopped = threading.Event()
        self._asked: list[Asked] = []
        self._began = time.monotonic()
        self._threads = [
            threading.Thread(target=self._order_on, args=(customer(),), daemon=True)
            for _ in range(CUSTOMERS)
        ]

    def stop(self) -> list[Asked]:
        """Let nobody begin another order; return all, by due time, once the last is answered."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return sorted(self._asked, key=lambda asked: asked.due_s)

    def _order_on(self, customer: Customer) -> None:
        while not self._stopped.is_set():
            number = next(self._numbers)  # one step of the interpreter: two never get the same
            due_s = self._began + number / self._rate_per_s
            if self._stopped.wait(max(0.0, due_s - time.monotonic())):
                return
            outcome = self._order(customer, number)
            self._asked.append(Asked(due_s, time.monotonic() - due_s, outcome))

    def _order(self, customer: Customer, number: int) -> str:
        sku = f"sku-{1 + number % SKUS:04}"
        try:
            return str(customer.place(f"{self._prefix}-{number}", sku, 1)["outcome"])
        except NoOutcome as problem:
            return type(problem).__name__

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def due_within(asked: Sequence[Asked], begin_s: float, end_s: float) -> list[Asked]:
    """Those that fell due from `begin_s` until before `end_s`."""
    return [one for one in asked if begin_s <= one.due_s < end_s]
