"""Inventory: owns the stock."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from era0_naive import shop, trace
from era2_tcp.transport import serve


class Inventory:
    """What orders can ask for."""

    def __init__(self, stock: shop.Stock, products: Sequence[shop.Product]) -> None:
        self.stock = stock
        self.products = products

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return self.stock.reserve(order_id, sku, quantity)

    def release(self, order_id: str) -> shop.Outcome:
        return self.stock.release(order_id)

    def catalogue(self) -> shop.Outcome:
        return shop.Outcome("catalogue", products=self.products)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        outcome = self._serve_one(request)
        trace.done("inventory", request, outcome)
        return outcome.message()

    def _serve_one(self, request: dict[str, Any]) -> shop.Outcome:
        get: Callable[[str], Any] = request.get  # what is missing is None, and refused
        match get("op"):
            case "reserve":
                return self.reserve(get("order_id"), get("sku"), get("quantity"))
            case "release":
                return self.release(get("order_id"))
            case "catalogue":
                return self.catalogue()
            case unknown:
                return shop.refuse("op", unknown, "reserve, release or catalogue")


def main(listen: str, store: Path, catalogue: Path | None, ready: Callable[[str], None]) -> None:
    """Runs the service until it is stopped; `ready` is told where orders finds it."""
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    with closing(shop.Stock(store, products)) as stock:
        serve(listen, Inventory(stock, products).answer, ready)
