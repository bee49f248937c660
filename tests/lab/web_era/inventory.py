"""Owns the stock, and tells the registry where it is."""

from era0_naive import shop, trace
from tests.lab.web_era.web import ask, serve


def main(name, listen, advertise, registry, store, secret, catalogue, ready):
    products = shop.read_catalogue(catalogue) if catalogue else shop.catalogue()
    stock = shop.Stock(store, products)

    def reserve(order_id: str, sku: str, quantity: int) -> shop.Outcome:
        with stock.transaction():
            if stock.reserved(order_id) == [(sku, quantity)]:
                return shop.Outcome("reserved")
            return stock.reserve(order_id, sku, quantity)

    def answer(method: str, path: list[str], body: dict) -> tuple[int, dict]:
        if path == ["catalogue"]:
            return 200, shop.Outcome("catalogue", products=products).message()
        if method == "DELETE":
            return 200, stock.release(path[1]).message()
        outcome = reserve(path[1], body["sku"], body["quantity"])
        request = {"op": "reserve", "order_id": path[1], **body}
        trace.done(name, request, outcome)
        return 200, outcome.message()

    def registered(url: str) -> None:
        ask(registry, "PUT", f"/services/inventory/{name}", {"url": advertise or url})
        ready(url)

    serve(listen, answer, registered)
