"""The simulated pair with era 4's own code in it: its stack, its orders, its inventory.

Only what sends is ours; filters and policies live on virtual time as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from era0_naive import shop
from era4_framework import inventory, orders
from era4_framework.config import (
    BackoffConfig,
    BreakerConfig,
    BudgetConfig,
    ClientConfig,
    RetryConfig,
)
from era4_framework.endpoints import Instance
from era4_framework.errors import BadAnswer, ConnectFailed, Overloaded, Timeout
from era4_framework.identity import Identity
from era4_framework.outcomes import serving
from era4_framework.service import Request, Response
from era4_framework.stack import client_stack
from era4_framework.telemetry import Telemetry
from tests.histories import pair_services
from tests.histories.pair_services import NoAnswer, Unreachable

if TYPE_CHECKING:
    from tests.histories.simulated_pair import Pair

IN_A_HURRY = ClientConfig(
    deadline_s=0.07,
    try_timeout_s=pair_services.TRY_TIMEOUT_S,
    retry=RetryConfig(
        pair_services.ATTEMPTS,
        BackoffConfig(base_s=0.002, cap_s=0.004),
        BudgetConfig(percent=100, min_retries_per_s=1000),
    ),
    breaker=BreakerConfig(consecutive_failures=3, cool_down_s=0.03),
)
INSTANCES = tuple(Instance(f"inventory-{n}", f"http://inventory-{n}") for n in (1, 2))


class Era4Inventory(pair_services.Inventory):
    """Era 4's inventory behind a simulated wire."""

    def __init__(self, world: Pair, name: str) -> None:
        super().__init__(world, name)
        self.serve = serving(inventory.operations(inventory.Inventory(self.stock, [])))

    def execute(self, request: Request) -> Response:
        return self.serve(request)


class Era4Orders(pair_services.Orders):
    """Era 4's orders with its whole client stack; a kill takes what the stack has learned."""

    def __init__(self, world: Pair, name: str) -> None:
        super().__init__(world, name)
        self.restart()

    def restart(self) -> None:
        super().restart()
        clockwork, rng = self.world.clockwork, self.world.rng
        inventories = client_stack(
            "inventory",
            lambda: INSTANCES,
            Identity(b"x" * 32, "orders"),
            Telemetry("orders", rng),
            IN_A_HURRY,
            transport=self.send,
            clock=lambda: clockwork.now,
            sleep=clockwork.sleep,
            rng=rng,
        )
        self.desk = orders.Orders(self.book, inventories)

    def handle(self, request: dict) -> shop.Outcome:
        order_id = request["order_id"]
        match request["op"]:
            case "place":
                return self.desk.place(order_id, request["sku"], request["quantity"])
            case "cancel":
                return self.desk.cancel(order_id)
        return self.desk.show(order_id)

    def send(self, request: Request) -> Response:
        """What stands where era 4 has HTTP."""
        instance = self.world.instances[INSTANCES.index(request.endpoint.instance)]
        try:
            answer = self.world.call(instance, request, request.timeout_s)
        except Unreachable as error:
            raise ConnectFailed(str(error)) from error
        except NoAnswer as error:
            raise Timeout(str(error)) from error
        if isinstance(answer, Response):
            return answer
        raise (Overloaded if answer.certain else BadAnswer)(answer.detail)
