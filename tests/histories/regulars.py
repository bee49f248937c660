"""Customers who repeat the same request until they know, as is safe from era 3 on."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from lab.contract import Customer, NoOutcome, ShopClosed
from lab.history import Recorder, kind_of

PATIENCE_S = 10.0  # for one answer
KNOWS_WITHIN_S = 15.0  # however often it must ask
PAUSE_S = 0.06  # between two wishes at most: eight customers are a load, not a flood
CLOSED_S = 0.05  # before asking again
CERTAIN = {"outcome": "unavailable", "certain": True}


class Regulars:
    """They shop as long as anything happens; what they were told is in `recorder`."""

    def __init__(self, new_customer: Callable[[], Customer], skus: list[str], seed: int) -> None:
        self.new_customer = new_customer
        self.skus = skus
        self.seed = seed
        self.recorder = Recorder()
        self._ids: list[str] = []
        self._unsure: list[tuple[str, dict]] = []
        self._is_over = threading.Event()

    def run(self, customers: int, happen: Callable[[], None]) -> None:
        """Returns when `happen` has, and everybody knows what became of the last wish."""
        with ThreadPoolExecutor(customers) as pool:
            shopping = [pool.submit(self._shop, number) for number in range(customers)]
            try:
                happen()
            finally:
                self._is_over.set()
            for each in shopping:
                each.result()

    def settle(self) -> None:
        """To be called when nothing is under way any more: asks for what was left half done."""
        customer = self.new_customer()
        for name, operation in self._unsure:
            look_up = {"op": "show", "order_id": operation["order_id"]}
            seen = self._ask(name, customer, look_up)
            if seen is None or seen["outcome"] == "unavailable":
                self._ask_until_known(name, customer, operation)

    def _shop(self, number: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        name, customer = f"c{number}", self.new_customer()
        for operation in self._wishes(rng, name):
            if not self._ask_until_known(name, customer, operation):
                self._unsure.append((name, operation))
            time.sleep(rng.uniform(0, PAUSE_S))

    def _wishes(self, rng: random.Random, name: str) -> Iterator[dict]:
        while not self._is_over.is_set():
            yield self._choose(rng, f"{name}-{rng.getrandbits(40):x}")

    def _choose(self, rng: random.Random, fresh_id: str) -> dict:
        known = self._ids[-40:]
        kind = rng.choices(["place", "again", "cancel", "show"], [8, 1, 6, 2])[0]
        if known and kind in ("cancel", "show"):
            return {"op": kind, "order_id": rng.choice(known)}
        reuse = bool(known) and kind == "again"
        order_id = rng.choice(known) if reuse else fresh_id
        self._ids.append(order_id)
        # Another id's quantities are 1 to 5: 6 and 7 make sure that the content differs.
        quantity = rng.randint(6, 7) if reuse else rng.randint(1, 5)
        order = {"order_id": order_id, "sku": rng.choice(self.skus), "quantity": quantity}
        return {"op": "place", **order}

    def _ask_until_known(self, name: str, customer: Customer, operation: dict) -> bool:
        """False if an attempt of unknown fate may still be under way."""
        was_always_known, until = True, time.monotonic() + KNOWS_WITHIN_S
        while True:
            outcome = self._ask(name, customer, operation)
            was_always_known = was_always_known and _is_known(outcome)
            has_answer = outcome is not None and outcome["outcome"] != "unavailable"
            if has_answer or operation["op"] == "show":
                return was_always_known or operation["op"] == "show"
            told = f"{operation} was answered {outcome} for {KNOWS_WITHIN_S:g} s"
            assert time.monotonic() < until, told
            time.sleep(CLOSED_S)

    def _ask(self, name: str, customer: Customer, operation: dict) -> dict | None:
        call = self.recorder.invoke(name, operation)
        outcome: dict | None = None
        why = ""
        try:
            outcome = customer.ask(operation, timeout_s=PATIENCE_S)
        except ShopClosed as closed:
            outcome, why = CERTAIN, str(closed)
        except NoOutcome as unknown:
            why = f"{type(unknown).__name__}: {unknown}"
        self.recorder.complete(call, outcome, why)
        return outcome


def _is_known(outcome: dict | None) -> bool:
    return outcome is not None and kind_of(outcome) != "info"
