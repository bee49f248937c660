"""One shop on trial: ask it, and say in the table's words how it failed."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from era0_naive import shop
from lab.contract import Customer, CustomerTimeout, NoOutcome
from lab.history import Recorder
from lab.laws import check
from lab.stage import Stage
from tests.promises.credentials import Credential, credential_of
from tests.promises.crowd import PLACED, Crowd
from tests.promises.failures import (
    DoubleBooked,
    Hangs,
    StaysDown,
    Unavailable,
    WrongAnswer,
    WrongContent,
    broken_law,
)
from tests.promises.journal import stores_of
from tests.promises.stranger import Stranger

Outcome = dict[str, Any]

BOUND_S = 8.0  # who has not answered by then, with an answer or an apology, hangs
LOOK_EVERY_S = 0.01


class Trial:
    """A stage, one customer, and a record of what was asked and told."""

    def __init__(self, stage: Stage, stranger: Stranger, patience_s: float = BOUND_S) -> None:
        """`patience_s`: who is silent for longer hangs."""
        self.stage = stage
        self.stranger = stranger
        self.wire = stage.wire
        self.instance = stage.instances[0]  # the one that gets into trouble
        self.patience_s = patience_s
        self.recorder = Recorder()
        self.goods = shop.catalogue()
        self.sku = max(self.goods, key=lambda product: product["stock"])["sku"]
        self.customer = stage.customer()
        self._turns = itertools.count()

    def order(self, order_id: str, quantity: int = 2) -> Outcome:
        return {"op": "place", "order_id": order_id, "sku": self.sku, "quantity": quantity}

    def small_order(self, order_id: str) -> Outcome:
        """One piece of the next product: as many of these as you like never empty a shelf."""
        product = self.goods[next(self._turns) % len(self.goods)]
        return self.order(order_id, 1) | {"sku": product["sku"]}

    def ask(
        self,
        operation: Outcome,
        customer: Customer | None = None,
        patience_s: float | None = None,
    ) -> Outcome:
        """The outcome, recorded. Raises Hangs; NoOutcome if the counter itself went away."""
        call = self.recorder.invoke("customer", operation)
        asked, patience_s = customer or self.customer, patience_s or self.patience_s
        try:
            outcome = asked.ask(operation, timeout_s=patience_s)
        except CustomerTimeout as silence:
            self.recorder.complete(call, None, str(silence))
            raise Hangs(f"{operation['op']}: silent for {patience_s:g} s") from silence
        except NoOutcome as unknown:
            self.recorder.complete(call, None, str(unknown))
            raise
        self.recorder.complete(call, outcome)
        return outcome

    def asked(self, operation: Outcome, customer: Customer | None = None) -> Outcome | Exception:
        """As `ask`, for a thread: what would be raised is returned."""
        try:
            return self.ask(operation, customer)
        except (NoOutcome, Hangs) as silence:
            return silence

    def place(self, order_id: str, quantity: int = 2) -> Outcome:
        return self.ask(self.order(order_id, quantity))

    def must_place(self, order_id: str) -> None:
        """The order is placed, or the promise is broken."""
        self.expect_placed(order_id, self.place(order_id))

    def expect_placed(self, order_id: str, outcome: Outcome | Exception) -> None:
        """Raises what it is if it is anything else."""
        if isinstance(outcome, Exception):
            raise outcome
        if outcome["outcome"] == "unavailable":
            raise Unavailable(f"{order_id}: {outcome.get('detail')}")
        if outcome["outcome"] not in PLACED:
            raise WrongAnswer(f"{order_id} was answered {outcome}")

    def must_serve_again(self, name: str) -> None:
        """One of three orders is placed: the first may find out that an old connection is dead."""
        told = []
        for n in range(3):
            told.append(self.place(f"{name}-{n}")["outcome"])
            if told[-1] == "placed":
                return
        raise StaysDown(f"three orders after the trouble was over: {told}")

    def must_show_all_goods(self) -> None:
        """The long answer arrives, whole and unspoilt."""
        outcome = self.ask({"op": "catalogue"})
        if outcome["outcome"] == "unavailable":
            raise Unavailable(f"catalogue: {outcome.get('detail')}")
        if outcome.get("products") != self.goods:
            raise WrongContent(f"catalogue: {str(outcome)[:200]}")

    def reservations_of(self, order_id: str) -> int:
        reservations = stores_of(self.stage).reservations
        return sum(order == order_id for order, _, _ in reservations)

    def must_be_reserved_once(self, order_id: str) -> None:
        count = self.reservations_of(order_id)
        if count > 1:
            raise DoubleBooked(f"{order_id}: {count} reservations")
        assert count == 1, f"{order_id}: no reservation"

    def laws_hold(self) -> None:
        """All that was told is true, by the laws of `lab.laws`."""
        violations = check(self.recorder.operations(), stores_of(self.stage))
        if violations:
            raise broken_law(violations)

    def crowd(self, customers: int, each: int | None = None, repeats: bool = False) -> Crowd:
        """Customers in the background, for a `with`."""
        return Crowd(self, customers, each, repeats)

    def credential_of(self, caller: str) -> Credential:
        """What that service shows to inventory; before anything is shown, its name."""
        return credential_of(self.stage, caller)

    def has_come(self, what: str, order_id: str, instance: str = "") -> bool:
        """Whether an inventory, or this one, has reported that such a request was dealt with."""
        those = [instance] if instance else self.stage.instances
        return any(
            event.what == "note"
            and event.process in those
            and event.id == order_id
            and event.note.startswith(what)
            for event in self.stage.trace()
        )

    def until(self, observed: Callable[[], bool], what: str, within_s: float = BOUND_S) -> None:
        """Look until it can be seen. Raises AssertionError after `within_s`."""
        assert self.sees(observed, within_s), f"not seen within {within_s:g} s: {what}"

    def sees(self, observed: Callable[[], bool], within_s: float) -> bool:
        """Whether it can be seen before `within_s` are over."""
        deadline = time.monotonic() + within_s
        while not observed():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY_S)
        return True
