"""Takes orders; asks the instances in turn, and the next one if one is not there."""

import http.client
import itertools
import json

from era0_naive import shop, trace
from lab.contract import response_of
from tests.lab.web_era.web import ask, serve


def main(listen, registry, store, secret, ready):
    book = shop.Book(store)
    turns = itertools.count()

    def asked(request: dict, method: str, path: str, message: dict | None = None) -> shop.Outcome:
        instances = ask(registry, "GET", "/services/inventory")["instances"]
        first = next(turns)
        for number in range(len(instances)):
            chosen = instances[(first + number) % len(instances)]
            trace.call("orders", "orders", chosen["name"], request)
            try:
                outcome = shop.read_outcome(ask(chosen["url"], method, path, message))
            except (OSError, http.client.HTTPException):
                continue
            trace.answer("orders", chosen["name"], "orders", request, outcome)
            return outcome
        return shop.unavailable("no instance answered", certain=False)

    def reserve(order_id: str, sku: str, quantity: int) -> shop.Outcome:
        goods = {"sku": sku, "quantity": quantity}
        request = {"op": "reserve", "order_id": order_id, **goods}
        return asked(request, "PUT", f"/reservations/{order_id}", goods)

    def release(order_id: str) -> shop.Outcome:
        request = {"op": "release", "order_id": order_id}
        return asked(request, "DELETE", f"/reservations/{order_id}")

    def outcome_of(method: str, path: list[str], body: dict) -> tuple[str, shop.Outcome]:
        order_id = path[-1]
        if method == "PUT":
            goods = (body.get("sku"), body.get("quantity"))
            return "place", shop.place(book, reserve, order_id, *goods)
        if method == "DELETE":
            return "cancel", shop.cancel(book, release, order_id)
        if path == ["catalogue"]:
            return "catalogue", asked({"op": "catalogue"}, "GET", "/catalogue")
        return "show", shop.show(book, order_id)

    def answer(method: str, path: list[str], body: dict) -> tuple[int, dict]:
        if path == ["ready"]:
            instances = ask(registry, "GET", "/services/inventory")["instances"]
            return 200, {"ready": True, "instances": [each["name"] for each in instances]}
        op, outcome = outcome_of(method, path, body)
        status, _, said = response_of(op, outcome.message())
        return status, json.loads(said)

    serve(listen, answer, ready)
