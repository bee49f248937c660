"""Inventory: owns the stock."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from era0_naive import shop
from era4_framework.config import QuotaConfig, ServerConfig
from era4_framework.identity import Identity, read_secret
from era4_framework.outcomes import REPEATED, Operation
from era4_framework.resolver import Lease
from era4_framework.server import Door, listener_at, serve
from era4_framework.service import check_deadline
from era4_framework.stack import server_stack
from era4_framework.telemetry import Telemetry
from era4_framework.web import web

BUSY_TIMEOUT_S = 0.4  # for another instance that holds the store: less than a caller's patience
CONFIG = ServerConfig(
    may={"reserve": ("orders",), "release": ("orders",), "catalogue": ("orders", "reports")},
    quotas={"orders": QuotaConfig(500, 1000), "reports": QuotaConfig(5, 10)},
)


class Inventory:
    """What orders can ask for."""

    def __init__(self, stock: shop.Stock, products: Sequence[shop.Product]) -> None:
        self.stock = stock
        self.products = products

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        refused = shop.refusal(order_id, sku, quantity)
        if refused:
            return refused
        with self.stock.transaction():
            check_deadline()  # waiting for the store may have taken long
            held = self.stock.reserved(order_id)
            if held == [(sku, quantity)]:
                return shop.Outcome("reserved", REPEATED)
            if held:
                return shop.Outcome("conflict", f"order {order_id} holds {held}")
            if self.stock.was_released(order_id):
                return shop.Outcome("conflict", f"order {order_id} was released: this comes late")
            return self.stock.reserve(order_id, sku, quantity)

    def release(self, order_id: str) -> shop.Outcome:
        return self.stock.release(order_id)

    def catalogue(self) -> shop.Outcome:
        return shop.Outcome("catalogue", products=self.products)


def operations(inventory: Inventory) -> list[Operation]:
    """Where what can be asked is found."""
    reservation = "/reservations/<text:key>"
    return [
        Operation("reserve", "PUT", reservation, inventory.reserve, ("sku", "quantity")),
        Operation("release", "DELETE", reservation, inventory.release),
        Operation("catalogue", "GET", "/catalogue", inventory.catalogue),
    ]


def main(
    name: str,
    listen: str,
    advertise: str | None,
    registry: str,
    store: Path,
    secret: Path,
    catalogue: Path | None,
    ready: Callable[[str], None],
) -> None:
    """Runs the service until it is stopped; `ready` is told where orders finds it."""
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    identity, telemetry, door = Identity(read_secret(secret), "inventory"), Telemetry(name), Door()
    lease = Lease(registry, name, identity, CONFIG, advertise)
    stock = shop.Stock(store, products, BUSY_TIMEOUT_S)
    with closing(stock), closing(listener_at(listen)) as listener:
        asked = operations(Inventory(stock, products))
        service = server_stack(asked, identity, telemetry, CONFIG)
        app = web("inventory", asked, service, door, telemetry, CONFIG)
        serve(listener, app, door, CONFIG, ready, lease)
