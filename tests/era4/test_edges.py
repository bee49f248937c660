"""The edges: what the network and other programs do gets its name, once; HTTP comes in and out."""

import json
import socket
import threading
import time
from contextlib import suppress
from random import Random

import pytest

from era0_naive import shop
from era4_framework.config import ServerConfig
from era4_framework.endpoints import Endpoint, Instance
from era4_framework.errors import (
    BadAnswer,
    ConnectFailed,
    ConnectionLost,
    DeadlinePassed,
    Denied,
    NoAnswer,
    NotKnown,
    Overloaded,
    QuotaExceeded,
    Timeout,
)
from era4_framework.http import MOST_ANSWER_BYTES, Http
from era4_framework.outcomes import Operation, request_to
from era4_framework.policies.breaker import Breaker, BreakerConfig
from era4_framework.policies.deadline import Deadline
from era4_framework.server import Door
from era4_framework.service import Request
from era4_framework.stack import edge_stack
from era4_framework.telemetry import Telemetry
from era4_framework.web import web
from tests.era3 import fakes
from tests.era3.fakes import response, says

RESERVED = {"outcome": "reserved"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SURE = {"outcome": "unavailable", "certain": True, "detail": "not today"}


def ask(url: str, timeout_s: float = 0.3, deadline_s: float = 0.6, http: Http | None = None):
    """One reservation, asked of whoever is at `url`."""
    goods = {"sku": "s", "quantity": 2}
    request = request_to("reserve", "PUT", "/reservations/", "o-1", goods, expects=("reserved",))
    endpoint = Endpoint(Instance("inventory-1", url), Breaker(BreakerConfig()))
    deadline = Deadline.after(time.monotonic(), deadline_s)
    asked = Request(
        request.op,
        request.method,
        request.path,
        request.body,
        request.key,
        {"X-Deadline-Ms": "300"},
        deadline=deadline,
        endpoint=endpoint,
        timeout_s=timeout_s,
    )
    return (http or Http())(asked)


# ---- on the way out


def test_a_request_leaves_as_http_and_its_answer_comes_back():
    with fakes.server(says(response(RESERVED, 201))) as (url, heard):
        answer = ask(url)
    assert (answer.status, answer.body) == (201, RESERVED)
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /reservations/o-1 HTTP/1.1\r\n")
    assert b"X-Deadline-Ms: 300" in head and b"Content-Type: application/json" in head
    assert json.loads(body) == {"sku": "s", "quantity": 2}


def test_an_id_with_anything_in_it_stays_one_part_of_the_path():
    request = request_to("reserve", "PUT", "/reservations/", "../a b/ü?#%", expects=())
    assert request.path == "/reservations/..%2Fa%20b%2F%C3%BC%3F%23%25"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (response(SURE, 401), NotKnown),
        (response(SURE, 403), Denied),
        (response(SURE, 429), QuotaExceeded),
        (response(SURE, 503), Overloaded),
        (response(SURE, 504), DeadlinePassed),
        (response({"outcome": "unavailable"}, 503), BadAnswer),  # a proxy's, after anything
        (response({"outcome": "unavailable", "certain": "yes"}, 503), BadAnswer),
        (response({}, 504), BadAnswer),
        (response(SURE, 500), BadAnswer),  # a 500 is never certain
        (response({}, 502), BadAnswer),
        (response({}, 200), BadAnswer),
        (response({"outcome": 7}, 200), BadAnswer),
        (response([RESERVED], 200), BadAnswer),
        (response(b"<html>", 200), BadAnswer),
        (response(b"", 200), BadAnswer),
        (response(b"\xff" * 100, 200), BadAnswer),
        (response(b"[" * 100_000, 200), BadAnswer),
        (response({}, 302, "Location: http://127.0.0.1:1/\r\n"), BadAnswer),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"outcome": "reserved"}', ConnectionLost),
        (CHUNKED + b'18\r\n{"outcome": "reserved"}  ', ConnectionLost),  # no last chunk
        (CHUNKED + b"zz\r\n{}\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", NoAnswer),
        (b"HTTP/1.1 abc\r\n\r\n", NoAnswer),
        (b"\x00" * 1000, NoAnswer),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", NoAnswer),
        (b"", ConnectionLost),
    ],
)
def test_an_answer_that_is_none_gets_a_name(answer, kind):
    with fakes.server(says(answer)) as (url, _), pytest.raises(kind) as raised:
        ask(url)
    assert "inventory-1" in str(raised.value)
    assert len(str(raised.value)) < 300


def test_who_refuses_is_quoted_and_cut_short():
    told = SURE | {"detail": "x" * 10_000}
    with fakes.server(says(response(told, 503))) as (url, _), pytest.raises(Overloaded) as raised:
        ask(url)
    assert len(str(raised.value)) < 300


def test_a_chunked_answer_is_an_answer():
    told = CHUNKED + b'8\r\n{"outcom\r\nd\r\ne": "placed"}\r\n0\r\n\r\n'
    with fakes.server(says(told)) as (url, _):
        assert ask(url).body == {"outcome": "placed"}


def test_where_nobody_listens_nothing_was_executed():
    with pytest.raises(ConnectFailed):
        ask(fakes.refusing_url())


def test_whoever_does_not_accept_in_time_was_not_reached():
    """A listener whose queue is full leaves a connection waiting."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        with pytest.raises(ConnectFailed, match=r"no connection in 0\.1 s"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1)


def test_silence_ends_with_the_attempts_time():
    forever = threading.Event()
    with fakes.server(lambda connection: forever.wait(5)) as (url, _):
        with pytest.raises(Timeout, match=r"silent for 0\.2 s"):  # after 5 s it would be cut off
            ask(url, timeout_s=0.2)
        forever.set()


def test_a_peer_that_trickles_is_left_at_the_deadline():
    """A byte every 50 ms is no silence, and would last for ever."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.05)

    with fakes.server(trickle) as (url, _):
        began = time.monotonic()
        with pytest.raises(Timeout, match="bytes of its answer in time"):
            ask(url, timeout_s=0.3, deadline_s=0.5)
        assert time.monotonic() - began < 25, "half of what it would have lasted"


def test_an_endless_answer_is_bounded():
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 1_000_000)

    with fakes.server(flood) as (url, _), pytest.raises(BadAnswer, match=str(MOST_ANSWER_BYTES)):
        ask(url, timeout_s=5, deadline_s=30)


def test_a_connection_is_kept_and_replaced_when_the_peer_has_closed_it():
    http, closed = Http(), threading.Event()

    def twice(connection: socket.socket) -> None:
        says(response(RESERVED), response(RESERVED))(connection)
        connection.close()
        closed.set()

    with fakes.server(twice) as (url, heard):
        ask(url, http=http)
        ask(url, http=http)
        assert len(heard) == 1, "both came over one connection, which was closed after that"
        assert closed.wait(10)
        assert ask(url, http=http).body == RESERVED
        assert len(heard) == 2


def test_cookies_are_not_kept():
    http = Http()
    more = "Set-Cookie: a=b\r\nConnection: close\r\n"
    with fakes.server(says(response(RESERVED, 200, more))) as (url, heard):
        ask(url, http=http)
        ask(url, http=http)
    assert len(heard) == 2
    assert b"ookie" not in b"".join(heard)


def test_no_proxy_is_asked_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", fakes.refusing_url())
    monkeypatch.setenv("http_proxy", fakes.refusing_url())
    with fakes.server(says(response(RESERVED))) as (url, _):
        assert ask(url).body == RESERVED


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7.0), ("-1", 0.0), ("soon", 0.0), ("9" * 9, 0.0), ("\u0663", 0.0)]
)
def test_when_to_come_again_is_carried_by_the_error(status, told, seconds):
    header = f"Retry-After: {told}\r\n"
    with (
        fakes.server(says(response(SURE, status, header))) as (url, _),
        pytest.raises((Overloaded, QuotaExceeded)) as raised,
    ):
        ask(url)
    assert raised.value.retry_after_s == seconds
    assert raised.value.saying("again").retry_after_s == seconds


# ---- on the way in


@pytest.fixture
def client():
    """A shop whose business always succeeds, or fails as `order_id` says."""

    def place(order_id: str, sku: object, quantity: object) -> shop.Outcome:
        if order_id == "bug":
            raise ZeroDivisionError("a canary in a traceback")
        return shop.Outcome("placed", detail=f"{order_id!r} {sku} {quantity}")

    operations = [
        Operation("place", "PUT", "/orders/<text:key>", place, ("sku", "quantity")),
        Operation("catalogue", "GET", "/catalogue", lambda: shop.Outcome("catalogue")),
    ]
    telemetry, config = Telemetry("orders", Random(7)), ServerConfig(max_body_bytes=1000)
    stack = edge_stack(operations, "orders", telemetry, config)
    door = Door()
    app = web("orders", operations, stack, door, telemetry, config)
    client = app.test_client()
    client.door = door
    return client


def test_a_request_comes_in_and_its_outcome_goes_out(client):
    answer = client.put("/orders/o-1", json={"sku": "s", "quantity": 2})
    assert (answer.status_code, answer.content_type) == (201, "application/json")
    assert answer.get_json() == {"outcome": "placed", "detail": "'o-1' s 2"}


@pytest.mark.parametrize("path", ["/orders/", "/orders/a/b", "/orders//", "/orders/a%0Ab"])
def test_what_an_id_must_be_is_asked_of_the_shop(client, path):
    assert client.put(path, json={"sku": "s", "quantity": 2}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/orders", 404),
        ("GET", "/catalogue/", 404),
        ("GET", "//catalogue", 404),
        ("GET", "/static/../catalogue", 404),
        ("POST", "/orders/o-1", 405),
        ("DELETE", "/catalogue", 405),
        ("BREW", "/catalogue", 405),
    ],
)
def test_who_asks_for_what_there_is_not_is_told_what_there_is(client, method, path, status):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    told = answer.get_json()
    assert (told["outcome"], told["status"]) == ("invalid", status)
    assert "PUT /orders/KEY" in told["detail"]
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_body_that_is_too_large_is_not_read(client):
    answer = client.put("/orders/o-1", data=b"x" * 1001)
    assert (answer.status_code, answer.get_json()["outcome"]) == (413, "invalid")
    assert "at most 1000 bytes" in answer.get_json()["detail"]


def test_a_bug_is_told_to_the_log_and_not_to_the_customer(client, capsys):
    answer = client.put("/orders/bug", json={"sku": "s", "quantity": 2})
    told = answer.get_json()
    assert (answer.status_code, told["outcome"], told["certain"]) == (500, "unavailable", False)
    assert "canary" not in repr(told)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert 'outcome="unavailable"' in client.get("/metrics").text


def test_what_watches_a_service_is_always_answered(client):
    assert client.get("/health").get_json() == {"healthy": True}
    assert client.get("/ready").get_json() == {"ready": True}
    assert client.get("/metrics").content_type.startswith("text/plain; version=0.0.4")
    client.door.is_open = False
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"ready": False})
    assert client.get("/health").status_code == 200


def test_a_service_that_knows_nobody_to_ask_is_not_ready():
    known: list[Instance] = []
    door = Door(lambda: tuple(known))
    assert door() == (False, {"instances": []})
    known.append(Instance("inventory-1", "http://127.0.0.1:1"))
    assert door() == (True, {"instances": ["inventory-1"]})
