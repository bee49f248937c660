"""Orders: takes orders from customers, and asks inventory for the goods."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from era0_naive import shop
from era4_framework.config import ClientConfig, ServerConfig
from era4_framework.errors import NoAnswer, Unreachable
from era4_framework.identity import Identity, read_secret
from era4_framework.outcomes import Operation, outcome_of, request_to
from era4_framework.resolver import Discovery
from era4_framework.server import Door, listener_at, serve
from era4_framework.service import Service
from era4_framework.stack import client_stack, edge_stack
from era4_framework.telemetry import Telemetry
from era4_framework.web import web

INVENTORY = ClientConfig(deadline_s=3.0, try_timeout_s=0.5)  # how we ask it
CONFIG = ServerConfig(most_in_flight=14, settle_s=0.5)  # how we are asked
BUSY_TIMEOUT_S = 0.4  # for who else holds the book: a thread is needed elsewhere

ANSWERS = {  # what inventory may answer, and nobody else
    "reserve": ("reserved", "out_of_stock", "unknown_sku", "conflict", "invalid"),
    "release": ("released", "invalid"),
    "catalogue": ("catalogue",),
}


class Orders:
    """What customers can ask for, and how orders asks inventory for its part of it."""

    def __init__(self, book: shop.Book, inventory: Service) -> None:
        self.book = book
        self.inventory = inventory

    def place(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        return shop.place(self.book, self.reserve, order_id, sku, quantity, self.release)

    def cancel(self, order_id: str) -> shop.Outcome:
        return shop.cancel(self.book, self.release, order_id)

    def show(self, order_id: str) -> shop.Outcome:
        return shop.show(self.book, order_id)

    def catalogue(self) -> shop.Outcome:
        return self.ask("catalogue", "GET", "/catalogue")

    def reserve(self, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        goods = {"sku": sku, "quantity": quantity}
        return self.ask("reserve", "PUT", "/reservations/", order_id, goods)

    def release(self, order_id: str) -> shop.Outcome:
        return self.ask("release", "DELETE", "/reservations/", order_id)

    def ask(
        self, op: str, method: str, path: str, key: str = "", body: dict[str, Any] | None = None
    ) -> shop.Outcome:
        """The call path: what happens between a question and its answer."""
        request = request_to(op, method, path, key, body, expects=ANSWERS[op])
        try:
            return outcome_of(self.inventory(request))
        except Unreachable as error:
            return shop.unavailable(str(error), certain=True)
        except NoAnswer as error:
            return shop.unavailable(str(error), certain=False)


def operations(orders: Orders) -> list[Operation]:
    """Where what can be asked is found."""
    order = "/orders/<text:key>"
    return [
        Operation("place", "PUT", order, orders.place, ("sku", "quantity")),
        Operation("cancel", "DELETE", order, orders.cancel),
        Operation("show", "GET", order, orders.show),
        Operation("catalogue", "GET", "/catalogue", orders.catalogue),
    ]


def main(
    listen: str, registry: str, store: Path, secret: Path, ready: Callable[[str], None]
) -> None:
    """Runs the service until it is stopped; `ready` is told where customers find it."""
    identity, telemetry = Identity(read_secret(secret), "orders"), Telemetry("orders")
    instances = Discovery(registry, "inventory", INVENTORY.poll_s)
    inventory = client_stack("inventory", instances, identity, telemetry, INVENTORY)
    book = shop.Book(store, BUSY_TIMEOUT_S)
    with closing(book), closing(listener_at(listen)) as listener:
        asked, door = operations(Orders(book, inventory)), Door(instances)
        service = edge_stack(asked, "orders", telemetry, CONFIG)
        app = web("orders", asked, service, door, telemetry, CONFIG)
        instances.start()
        try:
            serve(listener, app, door, CONFIG, ready)
        finally:
            instances.stop()
