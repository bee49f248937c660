"""Inventory: owns the stock."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from era0_naive import shop, trace
from era0_naive.transport import serve

PAGE_BYTES = 60_000  # what surely fits into a datagram: 65,535 bytes less the headers


class Inventory:
    """What orders can ask for."""

    def __init__(self, stock: shop.Stock, products: Sequence[shop.Product]) -> None:
        self.stock = stock
        self.pages = cut(products)

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return self.stock.reserve(order_id, sku, quantity)

    def release(self, order_id: str) -> shop.Outcome:
        return self.stock.release(order_id)

    def catalogue(self, page: int) -> shop.Outcome:
        if type(page) is not int or page < 0:
            return shop.refuse("page", page, "a whole number, 0 or more")
        return shop.Outcome(
            "catalogue", products=self.pages[page] if page < len(self.pages) else ()
        )

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
                return self.catalogue(get("page"))
            case unknown:
                return shop.refuse("op", unknown, "reserve, release or catalogue")


def cut(products: Sequence[shop.Product]) -> list[list[shop.Product]]:
    """The catalogue in pages, each small enough for a datagram."""
    pages: list[list[shop.Product]] = [[]]
    room_bytes = PAGE_BYTES
    for product in products:
        size_bytes = len(json.dumps(product)) + len(", ")
        if size_bytes > room_bytes:
            pages.append([])
            room_bytes = PAGE_BYTES
        pages[-1].append(product)
        room_bytes -= size_bytes
    return pages


def main(listen: str, store: Path, catalogue: Path | None, ready: Callable[[str], None]) -> None:
    """Runs the service until it is stopped; `ready` is told where orders finds it."""
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    with closing(shop.Stock(store, products)) as stock:
        serve(listen, Inventory(stock, products).answer, ready)
