"""The shop without a network: the same rules and stores, called directly in this process.

A door like any other, so a customer cannot tell; what an era answers is compared to it.
"""

import json
from pathlib import Path
from typing import Any

from era0_naive import shop


class Oracle:
    """Both services as one object: `place` calls `reserve` as a function."""

    def __init__(self, directory: Path) -> None:
        """Keeps its two stores in `directory`, freshly filled with the seeded catalogue."""
        self.stock = shop.Stock(directory / "oracle-stock.db", shop.catalogue())
        self.book = shop.Book(directory / "oracle-book.db")

    def ask(self, operation: Any, timeout_s: float) -> dict[str, Any]:
        """The outcome; `timeout_s` is for doors that can be slow."""
        return self._answer(parsed(operation)).message()

    def close(self) -> None:
        """A customer leaves; the shop stays open for the others."""

    def _answer(self, ask: dict[str, Any]) -> shop.Outcome:
        order_id = ask.get("order_id")
        match ask.get("op"):
            case "place":
                sku, quantity = ask.get("sku"), ask.get("quantity")
                return shop.place(self.book, self.stock.reserve, order_id, sku, quantity)
            case "cancel":
                return shop.cancel(self.book, self.stock.release, order_id)
            case "show":
                return shop.show(self.book, order_id)
            case "catalogue":
                return shop.Outcome("catalogue", products=shop.catalogue())
        return shop.Outcome("invalid")


def parsed(operation: Any) -> dict[str, Any]:
    """An operation, also one written as bytes; {} for what is none."""
    if isinstance(operation, bytes):
        try:
            operation = json.loads(operation)
        except (ValueError, RecursionError):
            return {}
    return operation if isinstance(operation, dict) else {}
