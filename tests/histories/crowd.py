"""Many customers at once at a real shop, while somebody kills its processes."""

import functools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.contract import Customer, NoOutcome, ShopClosed
from lab.history import Recorder

PATIENCE_S = 20.0
REPAIRED_WITHIN_S = 20.0


@dataclass(frozen=True)
class Strike:
    """What happens when the crowd has asked this often."""

    after_calls: int
    act: Callable[[], None]


class Crowd:
    """Customers who each ask one thing at a time, and write down what they are told.

    They never repeat an order of unknown fate: in eras 0 to 2 that may order it twice, which
    is a row of the promises and not to be mixed in here.
    """

    def __init__(self, new_customer: Callable[[], Customer], skus: list[str], seed: int) -> None:
        self.new_customer = new_customer
        self.skus = skus
        self.seed = seed
        self.recorder = Recorder()
        self.placed: list[str] = []
        self.errors: list[BaseException] = []
        self._asked = threading.Condition()
        self._calls = 0
        self._left = 0
        self._striking = False

    def run(self, customers: int, each: int, strikes: list[Strike]) -> None:
        """Returns when everybody has asked `each` times and every strike has happened."""
        self._left = customers
        threads = [
            threading.Thread(target=self._guarded, args=[self._shop, n, each])
            for n in range(customers)
        ]
        threads.append(threading.Thread(target=self._guarded, args=[self._strike, strikes]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _guarded(self, act: Callable[..., None], *args: object) -> None:
        try:
            act(*args)
        except BaseException as error:  # a thread's failure must become the test's
            self.errors.append(error)

    def _shop(self, number: int, each: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        customer = self.new_customer()
        try:
            for n in range(each):
                self._ask(f"c{number}", customer, self._choose(rng, f"c{number}-{n}"))
        finally:
            customer.close()
            with self._asked:
                self._left -= 1
                self._asked.notify_all()

    def _choose(self, rng: random.Random, fresh_id: str) -> dict:
        known = list(self.placed)
        if known and rng.random() < 0.3:
            return {"op": rng.choice(["cancel", "show"]), "order_id": rng.choice(known)}
        sku, quantity = rng.choice(self.skus), rng.randint(1, 5)
        return {"op": "place", "order_id": fresh_id, "sku": sku, "quantity": quantity}

    def _ask(self, name: str, customer: Customer, operation: dict) -> None:
        call = self.recorder.invoke(name, operation)
        with self._asked:
            self._calls += 1
            self._asked.notify_all()
        try:
            outcome = customer.ask(operation, timeout_s=PATIENCE_S)
        except ShopClosed as closed:
            outcome = {"outcome": "unavailable", "certain": True}
            self.recorder.complete(call, outcome, str(closed))
        except NoOutcome as unknown:
            self.recorder.complete(call, None, f"{type(unknown).__name__}: {unknown}")
            return
        else:
            self.recorder.complete(call, outcome)
        if outcome["outcome"] == "placed" and operation["op"] == "place":
            self.placed.append(operation["order_id"])
        if outcome["outcome"] == "unavailable":
            self._wait_until_repaired()

    def _wait_until_repaired(self) -> None:
        """Nobody spends all wishes on a shop that is closed just now."""
        with self._asked:
            self._asked.wait_for(lambda: not self._striking, REPAIRED_WITHIN_S)

    def _strike(self, strikes: list[Strike]) -> None:
        for strike in strikes:
            with self._asked:
                self._asked.wait_for(functools.partial(self._is_time_for, strike))
                self._striking = True
            try:
                strike.act()
            finally:
                with self._asked:
                    self._striking = False
                    self._asked.notify_all()

    def _is_time_for(self, strike: Strike) -> bool:
        return self._calls >= strike.after_calls or self._left == 0
