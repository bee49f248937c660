"""Customers who order in the background, one order after the other, while something happens."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from lab.contract import CutOff

if TYPE_CHECKING:
    from tests.promises.trial import Outcome, Trial


PLACED = ("placed", "already_placed")  # the other to who asked twice


@dataclass(frozen=True)
class Told:
    """What one order came to, and after how long."""

    order_id: str
    outcome: "Outcome | Exception"
    seconds: float

    @property
    def is_placed(self) -> bool:
        return isinstance(self.outcome, dict) and self.outcome["outcome"] in PLACED

    @property
    def is_refused(self) -> bool:
        return isinstance(self.outcome, dict) and self.outcome["outcome"] == "unavailable"


class Crowd:
    """Orders while its `with` block lasts. Who is not served gives up, and so ends the trouble."""

    def __init__(
        self, trial: "Trial", customers: int, each: int | None = None, repeats: bool = False
    ) -> None:
        """`each`: how many orders each customer has; without it, as many as there is time for.

        repeats: who loses the connection before the answer asks the same once more.
        """
        self.told: list[Told] = []
        self.cut = 0  # how often somebody lost it
        self._repeats = repeats
        self._trial = trial
        self._each = each
        self._leaving = threading.Event()
        self._told_one = threading.Condition()
        self._threads = [
            threading.Thread(target=self._shop, args=(n,), daemon=True) for n in range(customers)
        ]

    def come(self) -> None:
        """All of them, and they order at once."""
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Crowd":
        self.come()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self.wait()

    def wait(self) -> None:
        """Until everybody has been told what became of the last order."""
        for thread in self._threads:
            thread.join()

    def go_on(self, orders: int) -> None:
        """Wait until so many more have been told, or somebody was not served."""
        enough = len(self.told) + orders
        within_s = self._trial.patience_s * orders
        with self._told_one:
            self._told_one.wait_for(
                lambda: len(self.told) >= enough or not self.are_served, within_s
            )
        assert len(self.told) >= enough or not self.are_served, f"nothing for {within_s:g} s"

    def refused(self) -> list[Told]:
        """Who has been told, so far, that he cannot be served."""
        return [told for told in self.told if told.is_refused]

    @property
    def are_served(self) -> bool:
        """Whether every order so far was placed."""
        return all(told.is_placed for told in self.told)

    def must_be_served(self) -> None:
        """Every order was placed, or the promise is broken: raises the first failure."""
        for told in self.told:
            self._trial.expect_placed(told.order_id, told.outcome)

    def _shop(self, number: int) -> None:
        customer = self._trial.stage.customer(f"customer-{number}")
        done = 0
        while not self._leaving.is_set() and done != self._each:
            order_id = f"crowd-{number}-{done}"
            began = time.monotonic()
            order = self._trial.small_order(order_id)
            outcome = self._trial.asked(order, customer)
            if self._repeats and isinstance(outcome, CutOff):
                self.cut += 1
                outcome = self._trial.asked(order, customer)
            told = Told(order_id, outcome, time.monotonic() - began)
            done += 1
            with self._told_one:
                self.told.append(told)
                self._told_one.notify_all()
            if not told.is_placed and self._each is None:
                return
