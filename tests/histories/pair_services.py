"""The services of the simulated pair: processes that block, wait, are killed and stand still.

`Inventory` and `Orders` are right; a defect is a subclass of one of them, and `struck` counts how
often it really did harm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from greenlet import greenlet

from era0_naive import shop
from tests.histories.clockwork import Answer, Clockwork

if TYPE_CHECKING:
    from tests.histories.simulated_pair import Pair

TRY_TIMEOUT_S, ATTEMPTS = 0.020, 3


class Unreachable(Exception):
    """Certainly not executed."""


class NoAnswer(Exception):
    """Perhaps executed."""


class Process:
    """A service that can be killed and paused."""

    def __init__(self, world: Pair, name: str) -> None:
        self.world = world
        self.name = name
        self.is_up = True
        self.asleep_until = 0.0
        self.tasks: list[greenlet] = []
        self.struck = 0

    def kill(self, down_s: float) -> None:
        tasks, self.tasks = self.tasks, []
        self.is_up = False
        for task in tasks:
            self.world.clockwork.kill(task)
        self.world.clockwork.later(down_s, self.restart)

    def restart(self) -> None:
        self.is_up = True

    def stop(self, asleep_s: float) -> None:
        """As SIGSTOP: what arrives waits. (What was under way is simply late anyhow.)"""
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

    def __init__(self, world: Pair, name: str) -> None:
        super().__init__(world, name)
        self.stock = world.stock
        self.memory: dict[str, object] = {}

    def handle(self, request: dict) -> shop.Outcome:
        self.world.think()
        if self.world.happens(0.06):
            return shop.unavailable("the store is busy", certain=True)
        return self.execute(request)

    def execute(self, request: dict) -> shop.Outcome:
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

    def pause(self) -> None:
        """Between two steps that belong together, in a service that is wrong."""
        self.world.clockwork.sleep(self.world.rng.uniform(0, TRY_TIMEOUT_S))

    def restart(self) -> None:
        self.memory = {}
        super().restart()


class Orders(Process):
    """Takes orders; asks one instance after the other until one has answered."""

    def __init__(self, world: Pair, name: str) -> None:
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
