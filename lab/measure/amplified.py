"""One round of everything failing: so many orders, and what of them reached an inventory.

The inventories are stand-ins that fail and count. Above them stands either an era's own orders,
found through its own registry, or layers that retry as everybody does at first.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import requests

from lab.launch import RoleFailed
from lab.measure import CannotMeasure
from lab.measure.load import Load
from lab.measure.processes import Processes
from lab.stage import Stage, Variant

FAILING, NAIVE = "lab.measure.standins.failing", "lab.measure.standins.naive"
ANYWHERE = ("--listen", "http://127.0.0.1:0")
INSTANCES = 3
RATE_PER_S = 100.0
NAIVE_LAYERS, NAIVE_ORDERS = 3, 10
PATIENCE_S = 60.0

# Finagle's budget, and ours: a share of the requests, and 10 retries/s over 10 s for who has few.
MIN_RETRIES_PER_S, TTL_S = 10.0, 10.0


@dataclass(frozen=True)
class Amplified:
    """What a round came to."""

    orders: int
    attempts: int
    seconds: float = 0.0

    @property
    def per_order(self) -> float:
        return self.attempts / self.orders

    @property
    def beyond_floor(self) -> float:
        """Attempts per order, without those that the floor of the budget paid for."""
        floor = MIN_RETRIES_PER_S * max(self.seconds, TTL_S)
        return max(0.0, self.attempts - floor) / self.orders


def in_era(era: str, status: int, load_s: float) -> Amplified:
    """Order steadily from an era all of whose inventories fail. Raises CannotMeasure."""
    argv = [sys.executable, "-m", FAILING, f"--status={status}"]
    failing = Variant(argv, registers=False)
    variants = {f"inventory-{number}": failing for number in range(1, INSTANCES + 1)}
    try:
        with Stage(era, traced=False, instances=INSTANCES, variants=variants) as stage:
            began = time.monotonic()
            with Load(stage.customer, RATE_PER_S, "load") as load:
                time.sleep(load_s)
                asked = load.stop()
            seconds = time.monotonic() - began
            attempts = sum(_count_at(stage.address(name)) for name in stage.instances)
    except RoleFailed as failure:
        raise CannotMeasure(f"era {era}: {failure}") from failure
    return Amplified(len(asked), attempts, seconds)


def in_naive_layers(status: int) -> Amplified:
    """Order from naive layers above an inventory that fails. Raises CannotMeasure."""
    with Processes() as processes:
        with_status = f"--status={status}"
        failing = processes.start("inventory", FAILING, "inventory", *ANYWHERE, with_status)
        top = failing
        for number in range(1, NAIVE_LAYERS + 1):
            below = ("--next", top.address)
            top = processes.start(f"layer-{number}", NAIVE, "layer", *ANYWHERE, *below)
        for number in range(NAIVE_ORDERS):
            order = {"sku": "sku-0001", "quantity": 1}
            url = f"{top.address}/reservations/o-{number}"
            requests.put(url, json=order, timeout=PATIENCE_S)
        return Amplified(NAIVE_ORDERS, _count_at(failing.address))


def _count_at(url: str) -> int:
    return int(requests.get(f"{url}/count", timeout=PATIENCE_S).json()["count"])
