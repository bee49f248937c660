"""Orders and two instances of inventory over one store, on virtual time: the shop of eras 3 to 6.

The business is the real one (`shop.place`, `shop.Stock`, ...) and blocks as it does in life; see
`clockwork`. Between the processes requests are lost, late (they arrive when nobody waits any
more) and executed without an answer; processes are killed, stand still, find the store busy, and
break after the work was done. Orders asks again, customers repeat until they know, and at the end
they look up what they are not sure of.
"""

import random

from era0_naive import shop
from lab.history import Operation, Recorder, Stores, kind_of
from tests.histories.clockwork import Answer, Clockwork
from tests.histories.pair_services import Inventory, NoAnswer, Orders, Process, Unreachable

PATIENCE_S = 0.090
LATEST_S = 0.100  # how late a request can arrive
HEALED_S = 0.400  # from then on nothing is lost and nobody is killed


class Pair:
    """The world: what a seed makes of it, from the first customer to the last audit."""

    def __init__(
        self, seed: int, inventory: type[Inventory] = Inventory, orders: type[Orders] = Orders
    ) -> None:
        self.rng = random.Random(seed)
        self.clockwork = Clockwork()
        self.skus = [f"sku-{n}" for n in range(3)]
        goods = [{"sku": sku, "stock": self.rng.randint(8, 24)} for sku in self.skus]
        self.stock = shop.Stock(":memory:", goods)
        self.keys: dict[str, object] = {}  # a table beside the stock, for who needs one
        self.instances = [inventory(self, f"inventory-{n}") for n in (1, 2)]
        self.orders = orders(self, "orders")
        self.recorder = Recorder(clock=lambda: self.clockwork.now)
        self.ids: list[str] = []

    @property
    def struck(self) -> int:
        return sum(process.struck for process in [self.orders, *self.instances])

    def run(self, customers: int = 8, each: int = 10) -> list[Operation]:
        for n in range(customers):
            self.clockwork.start(lambda n=n: self.shop(f"c{n}", each))
        for process in [self.orders, *self.instances, *self.instances]:
            at_s = self.rng.uniform(0.02, 0.25)
            self.clockwork.later(at_s, lambda p=process: p.kill(self.rng.uniform(0.005, 0.03)))
        for instance in self.instances:
            at_s = self.rng.uniform(0.02, 0.25)
            self.clockwork.later(at_s, lambda p=instance: p.stop(self.rng.uniform(0.01, 0.1)))
        self.clockwork.run()
        return self.recorder.operations()

    def happens(self, share: float) -> bool:
        return self.rng.random() < share and self.clockwork.now < HEALED_S

    def think(self) -> None:
        """Now and then slower than anybody waits."""
        slow = self.happens(0.05)
        self.clockwork.sleep(self.rng.uniform(0.01, 0.06) if slow else self.rng.uniform(0, 0.002))

    def shuffled_instances(self) -> list[Inventory]:
        return self.rng.sample(self.instances, len(self.instances))

    def call(self, callee: Process, request: dict, timeout_s: float) -> shop.Outcome:
        """One request over the wire. Raises Unreachable, NoAnswer."""
        if not callee.is_up:
            self.clockwork.sleep(0.001)
            raise Unreachable(callee.name)
        answer = Answer(self.clockwork)
        if not self.happens(0.05):  # else the request is lost
            late_s = self.rng.uniform(0, LATEST_S) if self.happens(0.12) else 0.0
            travel_s = late_s + self.rng.uniform(0, 0.002)
            self.clockwork.later(travel_s, lambda: callee.arrive(request, answer))
        outcome = answer.wait(timeout_s)
        if outcome is None:
            raise NoAnswer(callee.name)
        return outcome

    def respond(self, process: Process, request: dict, answer: Answer) -> None:
        outcome = process.handle(request)
        if self.happens(0.05):
            return  # the answer is lost
        if self.happens(0.03):
            outcome = shop.unavailable("500", certain=False)  # broke after the work was done
        self.clockwork.later(self.rng.uniform(0, 0.002), lambda: answer.give(outcome))

    def shop(self, customer: str, each: int) -> None:
        unsure = []
        for n in range(each):
            request = self.choose(f"{customer}-{n}")
            if not self.ask_until_known(customer, request) and request["op"] != "show":
                unsure.append(request)
        self.clockwork.sleep(max(0.0, HEALED_S + LATEST_S - self.clockwork.now))
        for request in unsure:
            self.settle(customer, request)

    def choose(self, fresh_id: str) -> dict:
        known, rng = self.ids, self.rng
        sku = rng.choice([*self.skus, *self.skus, *self.skus, "sku-none"])
        kind = rng.choices(["place", "again", "cancel", "show"], [12, 1, 5, 2])[0]
        if kind in ("cancel", "show") and known:
            return {"op": kind, "order_id": rng.choice(known[-12:])}
        reuse = kind == "again" and bool(known)
        order_id = rng.choice(known) if reuse else fresh_id
        self.ids.append(order_id)
        # Another id's quantities are 1 to 5: 6 and 7 make sure that the content differs.
        quantity = rng.randint(6, 7) if reuse else rng.randint(1, 5)
        return {"op": "place", "order_id": order_id, "sku": sku, "quantity": quantity}

    def ask_until_known(self, customer: str, request: dict) -> bool:
        """Repeats the same request; False if an attempt of unknown fate may still be under way."""
        was_always_known = True
        for _ in range(1 if request["op"] == "show" else 100):
            outcome = self.ask(customer, request)
            kind = kind_of(outcome) if outcome else "info"
            was_always_known = was_always_known and kind != "info"
            has_answer = outcome is not None and outcome["outcome"] != "unavailable"
            gives_up = was_always_known and self.rng.random() < 0.5  # nothing was done: it may
            if has_answer or gives_up:
                break
            self.clockwork.sleep(self.rng.uniform(0.001, 0.01))
        return was_always_known

    def settle(self, customer: str, request: dict) -> None:
        """What is said of the order now is the last word, unless it was left half done."""
        seen = self.ask(customer, {"op": "show", "order_id": request["order_id"]})
        if seen and seen["outcome"] == "unavailable":
            self.ask_until_known(customer, request)

    def ask(self, customer: str, request: dict) -> dict | None:
        number = self.recorder.invoke(customer, request)
        try:
            outcome = self.call(self.orders, request, PATIENCE_S).message()
        except Unreachable:
            outcome = shop.unavailable("closed", certain=True).message()
        except NoAnswer:
            outcome = None
        self.recorder.complete(number, outcome)
        return outcome

    def stores(self) -> Stores:
        orders = {o.order_id: (o.sku, o.quantity, o.status) for o in self.orders.book.orders()}
        return Stores(self.stock.shelves(), self.stock.reservations(), orders)
