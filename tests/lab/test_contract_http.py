"""The mapping to HTTP, tried on a tiny server that puts the shop behind it."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from era0_naive import shop
from lab.contract import (
    CustomerTimeout,
    CutOff,
    NotTheContract,
    ShopClosed,
    outcome_of,
    request_of,
    response_of,
)
from lab.doors import customer_at


@pytest.fixture
def web(tmp_path):
    """A shop that speaks HTTP: (url, the statuses it has answered)."""
    stock = shop.Stock(tmp_path / "stock.db", shop.catalogue()[:5])
    book = shop.Book(tmp_path / "book.db")
    answered = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, op, outcome):
            status, kind, body = response_of(op, outcome.message())
            answered.append((status, kind))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @property
        def order_id(self):
            return unquote(self.path.removeprefix("/orders/"))

        def do_PUT(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            placed = shop.place(book, stock.reserve, self.order_id, body["sku"], body["quantity"])
            self.answer("place", placed)

        def do_DELETE(self):
            self.answer("cancel", shop.cancel(book, stock.release, self.order_id))

        def do_GET(self):
            if self.path == "/catalogue":
                self.answer("catalogue", shop.Outcome("catalogue", products=shop.catalogue()))
                return
            self.answer("show", shop.show(book, self.order_id))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answered
        server.shutdown()
    stock.close()
    book.close()


def test_every_outcome_survives_http(web):
    url, answered = web
    customer = customer_at(url)
    sku = shop.catalogue()[0]["sku"]
    story = [
        (customer.place("o-1", sku, 2), "placed", 201),
        (customer.place("o-1", sku, 2), "already_placed", 200),
        (customer.place("o-1", sku, 3), "conflict", 409),
        (customer.place("o-2", sku, 1000), "out_of_stock", 409),
        (customer.place("o-2", "sku-none", 1), "unknown_sku", 404),
        (customer.place("o-2", sku, 0), "invalid", 400),
        (customer.place("o/../2", sku, 1), "invalid", 400),
        (customer.show("o-1"), "placed", 200),
        (customer.show("o-2"), "not_found", 404),
        (customer.cancel("o-1"), "cancelled", 200),
        (customer.show("o-1"), "cancelled", 200),
        (customer.cancel("o-2"), "not_found", 404),
        (customer.catalogue(), "catalogue", 200),
    ]
    assert [outcome["outcome"] for outcome, _, _ in story] == [kind for _, kind, _ in story]
    assert [status for status, _ in answered] == [status for _, _, status in story]


def test_a_refusal_is_problem_details(web):
    url, answered = web
    outcome = customer_at(url).place("o-1", "sku-0001", -1)
    assert answered == [(400, "application/problem+json")]
    assert outcome["field"] == "quantity"
    assert "-1" in outcome["detail"]
    assert outcome["status"] == 400


def test_an_id_with_slashes_stays_one_part_of_the_path():
    _, path, _ = request_of({"op": "show", "order_id": "a/b c?d"})
    assert path == "/orders/a%2Fb%20c%3Fd"


def test_what_http_cannot_say_is_refused_before_it_is_sent():
    with pytest.raises(ValueError, match="op is place, cancel, show or catalogue"):
        request_of({"op": "steal"})


@pytest.mark.parametrize(
    ("op", "status", "body", "kind"),
    [
        ("place", 409, {"type": "https://shop.example/problems/out-of-stock"}, "out_of_stock"),
        ("place", 409, {"type": "about:blank"}, "conflict"),
        ("place", 201, {}, "placed"),
        ("place", 414, {}, "invalid"),
        ("place", 503, {}, "unavailable"),
        ("cancel", 204, {}, "cancelled"),
        ("show", 200, {"status": "cancelled"}, "cancelled"),
    ],
)
def test_a_foreign_shop_may_leave_the_outcome_to_the_status(op, status, body, kind):
    assert outcome_of(op, status, json.dumps(body).encode())["outcome"] == kind


def test_an_answer_that_is_no_outcome_is_told_apart():
    with pytest.raises(NotTheContract, match="302"):
        outcome_of("place", 302, b"moved")


def test_a_closed_shop_a_silent_one_and_one_that_hangs_up_differ():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CustomerTimeout):
            customer_at(url).show("o-1", timeout_s=0.2)
        hanging_up = threading.Thread(target=hang_up_once, args=(silent,))
        hanging_up.start()
        with pytest.raises(CutOff):
            customer_at(url).show("o-1", timeout_s=5)
        hanging_up.join()
    with pytest.raises(ShopClosed):
        customer_at(url).show("o-1")


def hang_up_once(listener: socket.socket) -> None:
    for _ in range(2):  # the first is the one who gave up before
        caller, _ = listener.accept()
        caller.recv(65536)
        caller.close()


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"'ftp://x'.*accepted are unix:PATH and http://host:port"):
        customer_at("ftp://x")
