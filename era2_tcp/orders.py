"""Orders: takes orders from customers, and asks inventory for the goods."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from era0_naive import counter, shop, trace
from era2_tcp.transport import Caller, NoAnswer, Unreachable


class Orders:
    """What customers can ask for, and how orders asks inventory for its part of it."""

    def __init__(self, book: shop.Book, inventory: Caller) -> None:
        self.book = book
        self.inventory = inventory

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity)

    def cancel(self, order_id: str) -> shop.Outcome:
        return shop.cancel(self.book, self.release, order_id)

    def show(self, order_id: str) -> shop.Outcome:
        return shop.show(self.book, order_id)

    def catalogue(self) -> shop.Outcome:
        return self.ask({"op": "catalogue"})

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        request = {"op": "reserve", "order_id": order_id, "sku": sku, "quantity": quantity}
        return self.ask(request)

    def release(self, order_id: str) -> shop.Outcome:
        return self.ask({"op": "release", "order_id": order_id})

    def ask(self, request: dict[str, Any]) -> shop.Outcome:
        """The call path: what happens between a question and its answer."""
        trace.call("orders", "orders", "inventory", request)
        try:
            outcome = shop.read_outcome(self.inventory.call(request))
        except Unreachable as error:
            outcome = shop.unavailable(str(error), certain=True)
        except NoAnswer as error:
            outcome = shop.unavailable(str(error), certain=False)
        trace.answer("orders", "inventory", "orders", request, outcome)
        return outcome


def main(inventory: str, store: Path, counter_path: Path, ready: Callable[[str], None]) -> None:
    """Runs the service until it is stopped; `ready` is told where customers find it."""
    book = shop.Book(store)
    with closing(book), closing(Caller(inventory)) as caller:
        counter.serve(counter_path, Orders(book, caller), ready)
