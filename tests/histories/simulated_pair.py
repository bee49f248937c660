"""Orders and two instances of inventory over one store, on virtual time: the shop of eras 3 to 6.

The business is the real one (`shop.place`, `shop.Stock`, ...) and blocks as it does in life; see
`clockwork`. Between the processes requests are lost, late (they arrive when nobody waits any
more) and executed without an answer; processes are killed, stand still, find the store busy, and
break after the work was done. Orders asks again, customers repeat until they know, and at the end
they look up what they are not sure of. A defect is a subclass of one of the services; `struck`
counts how often it really did harm.
"""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from era0_naive import shop
from lab.history import Operation, Recorder, Stores, kind_of
from tests.histories.clockwork import Answer, Clockwork, Task

TRY_TIMEOUT_S, ATTEMPTS = 0.020, 3
PATIENCE_S = 0.090
LATEST_S = 0.200  # how late a request can arrive
HEALED_S = 0.400  # from then on nothing is lost and nobody is killed
NOT_THERE = "not there"


class Unreachable(Exception):
    """Certainly not executed."""


class NoAnswer(Exception):
    """Perhaps executed."""


class Process:
    """A service that can be killed and paused."""

    def __init__(self, world: "Pair", name: str) -> None:
        self.world = world
        self.name = name
        self.is_up = True
        self.asleep_until = 0.0
        self.tasks: list[Task] = []
        self.struck = 0

    def kill(self, down_s: float) -> None:
        tasks, self.tasks = self.tasks, []
        self.is_up = False
        for task in tasks:
            task.kill()
        self.world.clockwork.later(down_s, self.restart)

    def restart(self) -> None:
        self.is_up = True

    def pause(self, asleep_s: float) -> None:
        self.asleep_until = self.world.clockwork.now + asleep_s

    def arrive(self, request: dict, answer: Answer) -> None:
        """What comes while the process stands still waits in its socket."""
        clockwork = self.world.clockwork
        if clockwork.now < self.asleep_until:
            wait_s = self.asleep_until - clockwork.now
            clockwork.later(wait_s, lambda: self.arrive(request, answer))
        elif self.is_up:
            self.tasks.append(clockwork.start(lambda: self.world.respond(self, request, answer)))

    def handle(self, request: dict) -> shop.Outcome:
        raise NotImplementedError


class Inventory(Process):
    """An instance. What a method of `stock` has returned is on disk; `memory` dies with a kill."""

    def __init__(self, world: "Pair", name: str) -> None:
        super().__init__(world, name)
        self.stock = world.stock
        self.memory: dict[str, object] = {}

    def handle(self, request: dict) -> shop.Outcome:
        self.world.think()
        if self.world.happens(0.02):
            return shop.unavailable("the store is busy", certain=True)
        if request["op"] == "release":
            return self.release(request["order_id"])
        return self.reserve(request["order_id"], request["sku"], request["quantity"])

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        with self.stock.transaction():
            held = self.stock.reserved(order_id)
            if held == [(sku, quantity)]:
                return shop.Outcome("reserved")
            if held or self.stock.was_released(order_id):
                return shop.Outcome("conflict")
            return self.stock.reserve(order_id, sku, quantity)

    def release(self, order_id: str) -> shop.Outcome:
        return self.stock.release(order_id)

    def restart(self) -> None:
        self.memory = {}
        super().restart()


class Orders(Process):
    """Takes orders; asks one instance after the other until one has answered."""

    def __init__(self, world: "Pair", name: str) -> None:
        super().__init__(world, name)
        self.book = Book(world.clockwork)

    def handle(self, request: dict) -> shop.Outcome:
        order_id = request["order_id"]
        match request["op"]:
            case "place":
                return self.place(order_id, request["sku"], request["quantity"])
            case "cancel":
                return shop.cancel(self.book, self.release, order_id)
        return shop.show(self.book, order_id)

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity, self.release)

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        order = {"order_id": order_id, "sku": sku, "quantity": quantity}
        return self.ask({"op": "reserve", **order})

    def release(self, order_id: str) -> shop.Outcome:
        return self.ask({"op": "release", "order_id": order_id})

    def ask(self, request: dict) -> shop.Outcome:
        fates: list[bool] = []  # of the attempts: is it certain that nothing happened?
        instances = self.world.shuffled_instances()
        for instance in itertools.islice(itertools.cycle(instances), ATTEMPTS):
            answer = self.attempt(instance, request)
            if answer.kind != "unavailable":
                return answer if self.fate_of(fates) else replace(answer, certain=False)
            fates.append(bool(answer.certain))
            self.world.clockwork.sleep(self.world.rng.uniform(0, 0.004))
        return shop.unavailable("nobody answered", certain=self.fate_of(fates))

    def attempt(self, instance: Inventory, request: dict) -> shop.Outcome:
        try:
            return self.world.call(instance, request, TRY_TIMEOUT_S)
        except Unreachable:
            return shop.unavailable("unreachable", certain=True)
        except NoAnswer:
            return shop.unavailable("no answer", certain=False)

    def fate_of(self, fates: list[bool]) -> bool:
        return all(fates)


class Book(shop.Book):
    """The real one, whose clerks wait for each other on virtual time."""

    def __init__(self, clockwork: Clockwork) -> None:
        super().__init__(":memory:")
        self._clockwork = clockwork
        self._busy_with: set[str] = set()

    @contextmanager
    def alone(self, order_id: str) -> Iterator[None]:
        while order_id in self._busy_with:
            self._clockwork.sleep(0.001)
        self._busy_with.add(order_id)
        try:
            yield
        finally:
            self._busy_with.remove(order_id)


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
            self.clockwork.later(at_s, lambda p=instance: p.pause(self.rng.uniform(0.01, 0.1)))
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
            late_s = self.rng.uniform(0, LATEST_S) if self.happens(0.05) else 0.0
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
        kind = rng.choices(["place", "again", "cancel", "show"], [12, 1, 4, 2])[0]
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
            if outcome and outcome["outcome"] != "unavailable":
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
