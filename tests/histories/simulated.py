"""A shop on virtual time, right or wrong on purpose: histories for the checker to judge.

Eight customers, one clerk who can be interrupted between two steps, a wire that loses and delays
and duplicates, kills that forget what was in memory. Every history comes from its seed alone. A
defect is a subclass of the right shop; `struck` counts how often it really did harm, because a
planted defect that never struck cannot be found.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Generator

from lab.history import Operation, Recorder, Stores

Steps = Generator[float, None, dict]  # yields how long a step takes, returns the outcome


class Shop:
    """The right one. What is in `self.memory` dies with a kill, the rest is on disk."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.initial = {f"sku-{n}": rng.randint(8, 24) for n in range(4)}
        self.available = dict(self.initial)
        self.reservations: list[tuple[str, str, int]] = []
        self.orders: dict[str, tuple[str, int, str]] = {}
        self.memory: dict[str, dict] = {}
        self.struck = 0

    def answer(self, ask: dict) -> Steps:
        handler = {"place": self.place, "cancel": self.cancel, "show": self.show}[ask["op"]]
        return (yield from handler(ask))

    def place(self, ask: dict) -> Steps:
        yield self.rng.uniform(0.0, 0.002)
        order_id, sku, quantity = ask["order_id"], ask["sku"], ask["quantity"]
        if order_id in self.orders:
            same = self.orders[order_id] == (sku, quantity, "placed")
            return {"outcome": "already_placed" if same else "conflict"}
        if sku not in self.initial:
            return {"outcome": "unknown_sku"}
        if self.available[sku] < quantity:
            return {"outcome": "out_of_stock"}
        self.take(order_id, sku, quantity)
        return {"outcome": "placed"}

    def take(self, order_id: str, sku: str, quantity: int) -> None:
        self.available[sku] -= quantity
        self.reservations.append((order_id, sku, quantity))
        self.orders[order_id] = (sku, quantity, "placed")

    def cancel(self, ask: dict) -> Steps:
        yield self.rng.uniform(0.0, 0.002)
        sku, quantity, status = self.orders.get(ask["order_id"], ("", 0, "absent"))
        if status == "absent":
            return {"outcome": "not_found"}
        if status == "placed":
            self.give_back(ask["order_id"], sku, quantity)
        return {"outcome": "cancelled"}

    def give_back(self, order_id: str, sku: str, quantity: int) -> None:
        if (order_id, sku, quantity) in self.reservations:
            self.reservations.remove((order_id, sku, quantity))
            self.available[sku] += quantity
        self.orders[order_id] = (sku, quantity, "cancelled")

    def show(self, ask: dict) -> Steps:
        yield self.rng.uniform(0.0, 0.002)
        sku, quantity, status = self.orders.get(ask["order_id"], ("", 0, "absent"))
        if status == "absent":
            return {"outcome": "not_found"}
        return {"outcome": status, "order": {"sku": sku, "quantity": quantity}}

    def killed(self) -> None:
        self.memory.clear()

    def stores(self) -> Stores:
        stock = {sku: (self.initial[sku], self.available[sku]) for sku in self.initial}
        return Stores(stock, tuple(self.reservations), dict(self.orders))


class Simulation:
    """Runs a shop under its customers. `repeats`: a customer asks again until it knows."""

    def __init__(self, seed: int, shop: type[Shop] = Shop, repeats: bool = False) -> None:
        self.rng = random.Random(seed)
        self.shop = shop(random.Random(seed + 1))
        self.repeats = repeats
        self.now = 0.0
        self.life = 0  # how often killed: what runs in an earlier life is gone
        self.todo: list[tuple[float, int, Callable[[], None]]] = []
        self.ticket = itertools.count()
        self.recorder = Recorder(clock=lambda: self.now)
        self.ids: list[str] = []

    def run(self, customers: int = 8, each: int = 12, kills: int = 3) -> list[Operation]:
        for n in range(customers):
            self.later(self.rng.uniform(0, 0.01), lambda n=n: self.ask(f"c{n}", each))
        for _ in range(kills):
            self.later(self.rng.uniform(0.02, 0.15), self.kill)
        while self.todo:
            self.now, _, action = heapq.heappop(self.todo)
            action()
        return self.recorder.operations()

    def later(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.todo, (self.now + delay, next(self.ticket), action))

    def kill(self) -> None:
        self.life += 1
        self.shop.killed()

    def ask(self, customer: str, left: int) -> None:
        if left == 0:
            return
        self.attempt(customer, self.choose(f"{customer}-{left}"), left, tries=0)

    def choose(self, fresh_id: str) -> dict:
        known, rng = self.ids, self.rng
        sku = rng.choice([*self.shop.initial, *self.shop.initial, "sku-none"])
        kind = rng.choices(["place", "again", "cancel", "show"], [12, 1, 3, 3])[0]
        if kind in ("cancel", "show") and known:
            return {"op": kind, "order_id": rng.choice(known)}
        reuse = kind == "again" and bool(known)
        order_id = rng.choice(known) if reuse else fresh_id
        self.ids.append(order_id)
        # Another id's quantities are 1 to 5: 6 and 7 make sure that the content differs.
        quantity = rng.randint(6, 7) if reuse else rng.randint(1, 5)
        return {"op": "place", "order_id": order_id, "sku": sku, "quantity": quantity}

    def attempt(self, customer: str, ask: dict, left: int, tries: int) -> None:
        call = self.recorder.invoke(customer, ask)
        answered: list[bool] = []

        def reply(outcome: dict | None) -> None:
            if answered:
                return
            answered.append(True)
            self.recorder.complete(call, outcome)
            again = outcome is None and self.repeats and tries < 5
            follow = (lambda: self.attempt(customer, ask, left, tries + 1)) if again else None
            self.later(0.001, follow or (lambda: self.ask(customer, left - 1)))

        self.later(0.05, lambda: reply(None))  # patience
        if self.rng.random() < 0.05:
            return  # the request is lost
        late = 0.2 if self.rng.random() < 0.02 else 0.0  # arrives when nobody waits any more
        self.later(late + self.rng.uniform(0, 0.003), lambda: self.arrive(ask, reply))

    def arrive(self, ask: dict, reply: Callable[[dict], None]) -> None:
        self.step(self.shop.answer(ask), self.life, reply)

    def step(self, steps: Steps, life: int, reply: Callable[[dict], None]) -> None:
        if life != self.life:
            return
        try:
            self.later(next(steps), lambda: self.step(steps, life, reply))
        except StopIteration as done:
            if self.rng.random() > 0.05:  # else the answer is lost
                outcome = done.value
                self.later(self.rng.uniform(0, 0.003), lambda: reply(outcome))
