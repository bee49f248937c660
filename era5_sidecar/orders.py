"""Orders: takes orders from customers, and asks inventory for the goods."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask
import requests
from requests.adapters import HTTPAdapter

from era0_naive import shop
from era5_sidecar.server import THREADS, listener_at, serve
from era5_sidecar.web import Operation, web

LONGEST_WAIT_S = 0.4  # for who else holds the book: a thread is needed elsewhere


class Orders:
    """What customers can ask for, and how orders asks inventory for its part of it."""

    def __init__(self, book: shop.Book, inventory: requests.Session) -> None:
        self.book = book
        self.inventory = inventory

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity, self.release)

    def cancel(self, order_id: str) -> shop.Outcome:
        return shop.cancel(self.book, self.release, order_id)

    def show(self, order_id: str) -> shop.Outcome:
        return shop.show(self.book, order_id)

    def catalogue(self) -> shop.Outcome:
        return self.ask("GET", "/catalogue")

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        goods = {"sku": sku, "quantity": quantity}
        return self.ask("PUT", f"/reservations/{order_id}", goods)

    def release(self, order_id: str) -> shop.Outcome:
        return self.ask("DELETE", f"/reservations/{order_id}")

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> shop.Outcome:
        """The call path: what happens between a question and its answer."""
        # Which of our questions belongs to which of theirs: only we know that, so only we can say.
        trace = {"traceparent": flask.request.headers.get("traceparent")}
        try:
            url = f"http://inventory{path}"
            answer = self.inventory.request(method, url, headers=trace, json=body)
            outcome = shop.read_outcome(answer.json())
        except requests.RequestException as error:
            return shop.unavailable(f"inventory: {type(error).__name__}", certain=False)
        # Whether the question was perhaps heard before, whoever carried it knows. That the goods
        # may then be taken although they are refused, only we do: the end-to-end argument.
        if outcome.kind == "out_of_stock" and answer.headers.get("X-Certain") == "false":
            return replace(outcome, certain=False)
        return outcome


def operations(orders: Orders) -> list[Operation]:
    """Where what can be asked is found."""
    order = "/orders/<text:key>"
    return [
        Operation("place", "PUT", order, orders.place, ("sku", "quantity")),
        Operation("cancel", "DELETE", order, orders.cancel),
        Operation("show", "GET", order, orders.show),
        Operation("catalogue", "GET", "/catalogue", orders.catalogue),
    ]


def main(listen: str, store: Path, ready: Callable[[str], None]) -> None:
    """Runs the service until it is stopped; `ready` is told where it listens."""
    with (
        closing(shop.Book(store, LONGEST_WAIT_S)) as book,
        requests.Session() as inventory,
        closing(listener_at(listen)) as listener,
    ):
        inventory.mount("http://", HTTPAdapter(pool_maxsize=THREADS))
        app = web("orders", operations(Orders(book, inventory)))
        serve(listener, app, ready)
