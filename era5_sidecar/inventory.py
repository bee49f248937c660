"""Inventory: owns the stock."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from era0_naive import shop
from era5_sidecar.server import listener_at, serve
from era5_sidecar.web import REPEATED, Operation, web

LONGEST_WAIT_S = 0.4  # for another instance that holds the store


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
    store: Path,
    catalogue: Path | None,
    ready: Callable[[str], None],
) -> None:
    """Runs the service until it is stopped; `ready` is told where it listens."""
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    stock = shop.Stock(store, products, LONGEST_WAIT_S)
    with closing(stock), closing(listener_at(listen)) as listener:
        app = web(name, operations(Inventory(stock, products)))
        serve(listener, app, ready)
