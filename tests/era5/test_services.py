"""The two services without their sidecars: plain Flask and requests, and the business."""

import io
import json
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from requests.adapters import BaseAdapter

from era0_naive import shop
from era5_sidecar import inventory as of_inventory
from era5_sidecar import orders as of_orders
from era5_sidecar.inventory import Inventory
from era5_sidecar.orders import Orders
from era5_sidecar.server import listener_at
from era5_sidecar.web import MOST_BODY_BYTES, web
from lab.doors import Web
from lab.find import ROOT, child_environment

SKU = "sku-0001"
SHELF = shop.catalogue()[0]["stock"]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TWO = {"sku": SKU, "quantity": 2}

# ---- what no line of theirs may speak of

POLICY = ["timeout", "time out", "retry", "retries", "attempt", "backoff", "deadline", "budget"]
POLICY += ["breaker", "balanc", "quota", "rate limit", "shed", "token", "secret", "certificate"]
POLICY += ["proxy", "proxies", "sidecar", "mesh", "regist", "discover", "lease", "heartbeat"]
POLICY += ["tls", "endpoint", "port", "ports", "metric", "prometheus"]
WORDS = re.compile(rf"(?<![a-z])(?:{'|'.join(POLICY)})(?:s|_|\b)", re.IGNORECASE)
PLAIN = ["orders.py", "inventory.py", "web.py", "server.py", "inventory.mjs"]
WHERE_IT_LISTENS = re.compile(r"http://HOST:PORT|host_and_port|\bport\b|\.port\b|least_port=0")


def words_of_policy(path: Path) -> list[str]:
    """Lines that speak of how services reach each other, but for the service's own address."""
    source = path.read_text().replace("era5_sidecar", "")
    if path.name in ("server.py", "inventory.mjs"):  # told on the command line, as any server is
        source = WHERE_IT_LISTENS.sub("", source)
    return [line for line in source.splitlines() if WORDS.search(line)]


@pytest.mark.parametrize("name", PLAIN)
def test_a_service_has_no_word_for_a_policy_of_communication(name):
    assert words_of_policy(ROOT / "era5_sidecar" / name) == []


@pytest.mark.parametrize("name", ["orders.py", "inventory.py", "web.py", "server.py"])
def test_the_words_are_found_where_they_are(name):
    """A search that finds nothing in era 4 would say nothing about era 5."""
    assert len(words_of_policy(ROOT / "era4_framework" / name)) >= 3


def test_orders_names_inventory_and_no_address():
    source = (ROOT / "era5_sidecar" / "orders.py").read_text()
    assert "http://inventory{path}" in source
    assert not re.search(r"localhost|127\.|:\d{2,5}\b|environ", source)


# ---- inventory: the line that never leaves


@pytest.fixture
def stock(tmp_path) -> Iterator[shop.Stock]:
    with closing(shop.Stock(tmp_path / "stock.db", shop.catalogue())) as stock:
        yield stock


@pytest.fixture
def inventory(stock) -> Inventory:
    return Inventory(stock, shop.catalogue())


def test_the_same_reservation_again_takes_nothing(inventory, stock):
    assert inventory.reserve("o-1", SKU, 2) == shop.Outcome("reserved")
    assert inventory.reserve("o-1", SKU, 2) == shop.Outcome("reserved", "repeated")
    assert inventory.reserve("o-1", SKU, 3).kind == "conflict"
    assert stock.reserved("o-1") == [(SKU, 2)]


def test_what_was_released_stays_released_whatever_still_arrives(inventory, stock):
    inventory.release("o-1")
    assert inventory.reserve("o-1", SKU, 2).kind == "conflict"
    assert stock.shelves()[SKU] == (SHELF, SHELF)


def test_twenty_at_once_reserve_once(inventory, stock):
    found: list[str] = []
    crowd = [
        threading.Thread(target=lambda: found.append(inventory.reserve("o-1", SKU, 2).detail))
        for _ in range(20)
    ]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(found) == [""] + ["repeated"] * 19
    assert stock.reserved("o-1") == [(SKU, 2)]


# ---- the shop's outcomes as HTTP


@pytest.fixture
def asked(inventory):
    return web("inventory", of_inventory.operations(inventory)).test_client()


def test_a_new_reservation_is_created_and_a_repeated_one_is_there(asked):
    assert asked.put("/reservations/o-1", json=TWO).status_code == 201
    again = asked.put("/reservations/o-1", json=TWO)
    assert (again.status_code, again.json["outcome"]) == (200, "reserved")
    assert asked.delete("/reservations/o-1").json == {"outcome": "released"}


@pytest.mark.parametrize(
    ("sku", "quantity", "status", "outcome"),
    [
        (SKU, SHELF + 1, 409, "out_of_stock"),
        ("sku-9999", 1, 404, "unknown_sku"),
        (SKU, 0, 400, "invalid"),
        (SKU, "1", 400, "invalid"),
    ],
)
def test_a_refusal_is_problem_details(asked, sku, quantity, status, outcome):
    told = asked.put("/reservations/o-1", json={"sku": sku, "quantity": quantity})
    assert told.status_code == told.json["status"] == status
    assert told.content_type == "application/problem+json"
    assert (told.json["outcome"], told.json["type"]) == (outcome, f"urn:seven-eras:{outcome}")


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff", b"[]", b"null", b"[" * 60_000])
def test_a_body_that_is_no_object_is_invalid(asked, body):
    told = asked.put("/reservations/o-1", data=body)
    assert (told.status_code, told.json["outcome"]) == (400, "invalid")
    assert "a JSON object" in told.json["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", b"", 404),
        ("GET", "//catalogue", b"", 404),
        ("POST", "/reservations/o-1", b"", 405),
        ("DELETE", "/catalogue", b"", 405),
        ("PUT", "/reservations/o-1", b"x" * (MOST_BODY_BYTES + 1), 413),
    ],
)
def test_what_cannot_be_asked_is_told_what_can(asked, method, path, body, status):
    told = asked.open(path, method=method, data=body)
    assert (told.status_code, told.json["outcome"]) == (status, "invalid")
    assert "PUT /reservations/KEY" in told.json["detail"]
    assert bool(told.headers.get("Allow")) == (status == 405)


@pytest.mark.parametrize(
    "key", ["..", ".", "", "a/b", "a%2Fb", "o%0A", "o%00", "%C3%A4", "x" * 999]
)
def test_any_text_is_an_id_to_the_web_and_refused_by_the_shop(asked, key):
    told = asked.put(f"/reservations/{key}", json=TWO)
    assert (told.status_code, told.json["field"]) == (400, "order_id")


def test_a_store_that_is_held_is_certainly_unavailable(asked, monkeypatch):
    monkeypatch.setattr(shop.Stock, "transaction", _busy)
    told = asked.put("/reservations/o-1", json=TWO)
    assert (told.status_code, told.json["outcome"]) == (503, "unavailable")
    assert told.json["certain"] is True


def _busy(stock: shop.Stock):
    raise shop.Busy("stock.db")


def test_a_service_that_fails_says_so_and_leaves_the_fate_open(asked, monkeypatch):
    monkeypatch.setattr(shop.Stock, "release", lambda *_: 1 / 0)
    told = asked.delete("/reservations/o-1")
    assert (told.status_code, told.json["outcome"]) == (500, "unavailable")
    assert told.json["certain"] is False
    assert "division" not in told.get_data(as_text=True)


# ---- orders, whose inventory is a function


class Answers(BaseAdapter):
    """Where `http://` leads to: the requests that came, and what each is answered."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer
        self.came: list[requests.PreparedRequest] = []

    def send(self, request, **_):
        self.came.append(request)
        told = self.answer(request)
        if isinstance(told, Exception):
            raise told
        status, headers, body = told
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers.update(headers)
        response.raw = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        return response

    def close(self) -> None: ...


@contextmanager
def orders_before(tmp_path: Path, answer) -> Iterator[tuple[FlaskClient, Answers]]:
    answers = Answers(answer)
    with closing(shop.Book(tmp_path / "book.db")) as book, requests.Session() as session:
        session.mount("http://", answers)
        app = web("orders", of_orders.operations(Orders(book, session)))
        yield app.test_client(), answers


def reserved(request):
    return 201, {}, {"outcome": "reserved"}


def out_of_stock(request, **headers):
    if request.method == "DELETE":
        return 200, {}, {"outcome": "released"}
    return 409, headers, {"outcome": "out_of_stock", "detail": "0 left"}


def test_an_order_is_a_reservation_under_the_orders_id(tmp_path):
    with orders_before(tmp_path, reserved) as (customer, inventory):
        assert customer.put("/orders/o-1", json=TWO).status_code == 201
        again = customer.put("/orders/o-1", json=TWO)
        assert (again.status_code, again.json["outcome"]) == (200, "already_placed")
    (request,) = inventory.came
    assert (request.method, request.url) == ("PUT", "http://inventory/reservations/o-1")
    assert json.loads(request.body) == TWO


def test_the_trace_of_the_question_is_that_of_the_order(tmp_path):
    """The one line that nobody beside it can write."""
    with orders_before(tmp_path, reserved) as (customer, inventory):
        customer.put("/orders/o-1", json=TWO, headers={"traceparent": TRACEPARENT})
        customer.put("/orders/o-2", json=TWO)
    assert [request.headers.get("traceparent") for request in inventory.came] == [TRACEPARENT, None]


@pytest.mark.parametrize(
    "told",
    [
        requests.ConnectionError("gone"),
        requests.exceptions.ChunkedEncodingError("half an answer"),
        (502, {}, b"<html>Bad Gateway</html>"),
        (200, {}, b""),
        (200, {}, {"no": "outcome"}),
        (200, {}, b"[]"),
    ],
    ids=repr,
)
def test_what_is_no_outcome_leaves_the_fate_open(tmp_path, told):
    with orders_before(tmp_path, lambda _: told) as (customer, _):
        answer = customer.put("/orders/o-1", json=TWO)
        assert (answer.status_code, answer.json["outcome"]) == (503, "unavailable")
        assert answer.json["certain"] is False
        assert customer.get("/orders/o-1").json["outcome"] == "unavailable"


@pytest.mark.parametrize("certain", [True, False])
def test_a_refusal_on_the_way_is_told_with_what_is_known_of_it(tmp_path, certain):
    refusal = {"outcome": "unavailable", "certain": certain, "detail": "nobody is there"}
    with orders_before(tmp_path, lambda _: (503, {}, refusal)) as (customer, _):
        answer = customer.put("/orders/o-1", json=TWO).json
        assert (answer["outcome"], answer["certain"]) == ("unavailable", certain)
        assert "nobody is there" in answer["detail"]
        shown = customer.get("/orders/o-1").json["outcome"]
        assert shown == ("not_found" if certain else "unavailable")


def test_a_plain_refusal_is_told_and_the_id_may_be_used_again(tmp_path):
    with orders_before(tmp_path, out_of_stock) as (customer, inventory):
        assert customer.put("/orders/o-1", json=TWO).json["outcome"] == "out_of_stock"
        assert [request.method for request in inventory.came] == ["PUT"]


def test_a_refusal_to_a_question_that_was_perhaps_heard_before_is_taken_back_first(tmp_path):
    in_doubt = {"X-Certain": "false"}
    with orders_before(tmp_path, lambda r: out_of_stock(r, **in_doubt)) as (customer, inventory):
        assert customer.put("/orders/o-1", json=TWO).json["outcome"] == "out_of_stock"
        assert [request.method for request in inventory.came] == ["PUT", "DELETE"]


# ---- as processes


@contextmanager
def process(role: str, *options: str) -> Iterator[subprocess.Popen]:
    """A role, ready; killed at the end if it still runs."""
    running = subprocess.Popen(
        [sys.executable, "-m", "era5_sidecar", role, *options],
        stdout=subprocess.PIPE,
        env=child_environment(),
        text=True,
    )
    try:
        line = running.stdout.readline()
        assert line.startswith(f"{role} ready at "), line
        running.address = line.split()[-1]
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def inventory_at(address: str, folder: Path):
    store = ["--store", str(folder / "stock.db")]
    return process("inventory", "--name", "inventory-1", "--listen", address, *store)


def test_its_socket_is_for_nobody_else_and_one_left_by_a_dead_service_is_replaced(tmp_path):
    path = tmp_path / "app.sock"
    with inventory_at(f"unix:{path}", tmp_path) as service:
        assert service.address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.exists(), "killed, it could not take it away"
    with inventory_at(f"unix:{path}", tmp_path), connected(path) as line:
        assert ask(line, "PUT", "/reservations/o-1", TWO) == (201, {"outcome": "reserved"})


@contextmanager
def connected(path: Path) -> Iterator[HTTPConnection]:
    line = Web("http://inventory", path)._connect(5)
    with closing(line):
        yield line


def ask(line: HTTPConnection, method: str, path: str, body: object) -> tuple[int, dict]:
    line.request(method, path, json.dumps(body))
    response = line.getresponse()
    return response.status, json.loads(response.read())


def test_it_also_listens_at_an_address(tmp_path):
    with inventory_at("http://127.0.0.1:0", tmp_path) as service:
        told = requests.get(f"{service.address}/health", timeout=5)
        assert (told.status_code, told.json()) == (200, {"healthy": True})


def test_who_is_inside_when_it_is_told_to_stop_has_his_answer(tmp_path):
    """The head has come and the body has not: the signal arrives in between."""
    path = tmp_path / "app.sock"
    body = json.dumps(TWO).encode()
    with inventory_at(f"unix:{path}", tmp_path) as service, connected(path) as line:
        ask(line, "GET", "/health", None)
        line.putrequest("PUT", "/reservations/o-1")
        line.putheader("Content-Length", str(len(body)))
        line.endheaders(body[:5])
        with connected(path) as other:  # what was sent before this is read
            ask(other, "GET", "/health", None)
        service.send_signal(signal.SIGTERM)
        until_shut(path)
        line.send(body[5:])
        assert line.getresponse().status == 201
        assert service.wait(5) == 0


def until_shut(path: Path) -> None:
    """Polls until nobody new is let in."""
    for _ in range(1000):
        try:
            with connected(path):
                pass
        except Exception:
            return
    raise AssertionError("the door is open yet")


def test_the_address_that_cannot_be_listened_at_is_named(tmp_path):
    for address in (f"unix:{tmp_path}/no/folder.sock", "unix:" + "x" * 200, "http://192.0.2.1:0"):
        with pytest.raises(OSError, match="accepted: unix:PATH"):
            listener_at(address)
    with pytest.raises(ValueError, match="accepted"):
        listener_at("tcp://127.0.0.1:0")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="in use"):
        listener_at(f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "mine"
