"""Inventory without its process: who is let in, what is refused, and what is done only once."""

import json
import threading
import time
from contextlib import contextmanager

import flask
import jwt
import pytest

from era0_naive import shop
from era3_inline_microservice import inventory
from era3_inline_microservice.inventory import Bucket, Inventory
from tests.era3.fakes import response, says, server
from tests.era3.tokens import BAD_TOKENS, SECRET, bearer

ORDERS = bearer("orders")
CALLERS = ("orders", "unknown")
TWO = {"sku": "sku-0001", "quantity": 2}


@pytest.fixture
def service(tmp_path):
    stock = shop.Stock(tmp_path / "stock.db", shop.catalogue(), busy_timeout_s=0.05)
    yield Inventory(stock, shop.catalogue(), "inventory-1", "http://127.0.0.1:1", SECRET)
    stock.close()


@pytest.fixture
def client(service):
    return inventory.routes(service).test_client()


def reserve(client, order_id="o-1", body=TWO, headers=ORDERS, **more):
    return client.put(f"/reservations/{order_id}", json=body, headers=headers | more)


def test_goods_are_reserved_once_however_often_it_is_asked(service, client):
    assert reserve(client).status_code == 201
    assert reserve(client).status_code == 200
    assert reserve(client).get_json() == {"outcome": "reserved", "detail": "repeated"}
    assert service.stock.reservations() == [("o-1", "sku-0001", 2)]


@pytest.mark.parametrize("other", [{"sku": "sku-0002", "quantity": 2}, TWO | {"quantity": 3}])
def test_the_same_id_with_other_content_is_a_conflict(service, client, other):
    reserve(client)
    answer = reserve(client, body=other)
    assert (answer.status_code, answer.get_json()["outcome"]) == (409, "conflict")
    assert service.stock.reservations() == [("o-1", "sku-0001", 2)]


def test_a_reservation_that_arrives_after_the_release_takes_nothing(service, client):
    """The zombie: sent first, late on its way, when the order has long been cancelled."""
    assert client.delete("/reservations/o-1", headers=ORDERS).status_code == 200
    answer = reserve(client)
    assert (answer.status_code, answer.get_json()["outcome"]) == (409, "conflict")
    assert "late" in answer.get_json()["detail"]
    assert service.stock.reservations() == []


def test_many_at_once_reserve_once(service, client):
    answers = []

    def ask():
        answers.append(reserve(inventory.routes(service).test_client()).status_code)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(201) == 1
    assert {200, 201} <= set(answers) <= {200, 201, 503}  # 503: the store was busy for too long
    assert service.stock.reservations() == [("o-1", "sku-0001", 2)]


@pytest.mark.parametrize("why", BAD_TOKENS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/reservations/o-1"), ("DELETE", "/reservations/o-1"), ("GET", "/catalogue")],
)
def test_without_a_good_token_nothing_is_done_or_told(service, client, why, method, path):
    answer = client.open(path, method=method, json=TWO, headers=BAD_TOKENS[why])
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    told = answer.get_json()
    assert (told["outcome"], told["certain"], "accepted: " in told["detail"]) == (
        "unavailable",
        True,
        True,
    )
    assert service.stock.reservations() == []


@pytest.mark.parametrize("why", BAD_TOKENS)
def test_a_refusal_does_not_repeat_the_token(client, why):
    header = BAD_TOKENS[why].get("Authorization", "")
    answer = reserve(client, headers=BAD_TOKENS[why])
    pieces = [piece for piece in header.partition(" ")[2].split(".") if len(piece) > 7]
    assert not [piece for piece in pieces if piece in answer.text + str(answer.headers)]


def test_reports_may_read_the_catalogue_and_nothing_else(service, client):
    reports = bearer("reports")
    assert client.get("/catalogue", headers=reports).status_code == 200
    assert reserve(client, headers=reports).status_code == 403
    assert client.delete("/reservations/o-1", headers=reports).status_code == 403
    assert service.stock.reservations() == []


def test_an_unknown_subject_is_told_who_is_known(client):
    answer = reserve(client, headers=bearer("mallory"))
    assert answer.status_code == 403
    assert "'mallory' is none of orders, reports" in answer.get_json()["detail"]


def test_a_token_of_a_clock_that_is_seconds_off_is_good(client):
    assert reserve(client, headers=bearer(life_s=-3)).status_code == 201
    now = int(time.time())
    claims = {"sub": "orders", "aud": "inventory", "iat": now + 3, "exp": now + 60}
    ahead = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
    assert reserve(client, headers=ahead).status_code == 200


def test_a_caller_that_asks_too_often_is_told_when_to_come_back(client, monkeypatch):
    monkeypatch.setattr(inventory.time, "monotonic", lambda: 100.0)  # no token grows meanwhile
    answers = [client.get("/catalogue", headers=bearer("reports")) for _ in range(12)]
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) == 2, "a burst of 10"
    assert refused[0].headers["Retry-After"] == "1"
    assert client.get("/catalogue", headers=ORDERS).status_code == 200, "quotas are per caller"


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(rate=5, burst=10)
    assert [bucket.try_take(now=100.0) for _ in range(10)] == [0.0] * 10
    assert bucket.try_take(now=100.0) == pytest.approx(0.2)
    assert bucket.try_take(now=100.1) == pytest.approx(0.1)
    assert bucket.try_take(now=100.2) == 0.0
    assert bucket.try_take(now=100.2) > 0
    assert [bucket.try_take(now=200.0) for _ in range(11)].count(0.0) == 10


def test_too_many_at_once_are_refused_and_health_still_answers(service, client):
    service.in_flight = inventory.MOST_IN_FLIGHT
    answer = reserve(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (503, True)
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/health").status_code == 200
    assert service.in_flight == inventory.MOST_IN_FLIGHT, "the refused one is counted out again"
    service.in_flight -= 1
    assert reserve(client).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/reservations/o-1"), ("DELETE", "/reservations/o-1"), ("GET", "/catalogue")],
)
def test_what_nobody_waits_for_any_more_is_not_done(service, client, method, path):
    headers = ORDERS | {"X-Deadline-Ms": "0"}
    answer = client.open(path, method=method, json=TWO, headers=headers)
    assert (answer.status_code, answer.get_json()["certain"]) == (504, True)
    assert service.stock.reservations() == []
    assert not service.stock.was_released("o-1")


@pytest.mark.parametrize(("asked", "ends"), [(None, 103.0), ("250", 100.25), ("60000", 103.0)])
def test_nobody_is_worked_for_longer_than_three_seconds(service, monkeypatch, asked, ends):
    monkeypatch.setattr(inventory.time, "monotonic", lambda: 100.0)
    headers = {"X-Deadline-Ms": asked} if asked else {}
    with inventory.routes(service).test_request_context(headers=headers):
        assert inventory._misunderstood({"op": "release"}) is None
        assert flask.g.deadline == ends


def test_a_deadline_that_passes_while_the_store_is_waited_for_changes_nothing(
    service, client, monkeypatch
):
    now = 100.0
    transaction = service.stock.transaction

    @contextmanager
    def late():
        nonlocal now
        with transaction():
            now += 0.05  # so long was it somebody else's turn
            yield

    monkeypatch.setattr(inventory.time, "monotonic", lambda: now)
    monkeypatch.setattr(service.stock, "transaction", late)
    answers = [reserve(client, **{"X-Deadline-Ms": patience}) for patience in ("50", "0")]
    assert [answer.status_code for answer in answers] == [504, 504]
    assert now == 100.05, "the second one's had passed before: it did not wait for the store"
    assert service.stock.reservations() == []


@pytest.mark.parametrize("patience", ["soon", "-1", "1.5", "", " ", "٣", "1" * 10])
def test_a_deadline_that_is_none_is_named(client, patience):
    headers = {"X-Deadline-Ms": patience.encode().decode("latin-1")}
    answer = reserve(client, **headers)
    assert (answer.status_code, answer.get_json()["field"]) == (400, "X-Deadline-Ms")
    assert "accepted: whole milliseconds" in answer.get_json()["detail"]


def test_a_store_that_another_instance_holds_is_a_certain_refusal(service, client, tmp_path):
    with shop.Stock(tmp_path / "stock.db").transaction():
        answer = reserve(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (503, True)
    assert answer.headers["Retry-After"] == "1"
    assert reserve(client).status_code == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 50_000])
def test_a_body_that_is_no_object_is_named(service, client, body):
    answer = client.put("/reservations/o-1", data=body, headers=ORDERS)
    assert (answer.status_code, answer.get_json()["outcome"]) == (400, "invalid")
    assert "accepted: a JSON object" in answer.get_json()["detail"]
    assert service.stock.reservations() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"sku": 7, "quantity": 2}, "sku"),
        ({"quantity": 2}, "sku"),
        ({"sku": "sku-0001", "quantity": "2"}, "quantity"),
        ({"sku": "sku-0001", "quantity": True}, "quantity"),
        ({"sku": "sku-0001", "quantity": 2.0}, "quantity"),
        ({"sku": "sku-0001"}, "quantity"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named_also_on_a_repetition(client, body, field):
    for _ in range(2):
        answer = reserve(client, body=body)
        assert (answer.status_code, answer.get_json()["field"]) == (400, field)
        reserve(client, body={"sku": "sku-0001", "quantity": 1})


def test_the_type_of_the_content_does_not_matter(client):
    answer = client.put(
        "/reservations/o-1", data=json.dumps(TWO), content_type="text/plain", headers=ORDERS
    )
    assert answer.status_code == 201


def test_the_body_cannot_say_which_order_it_is(service, client):
    reserve(client, body=TWO | {"order_id": "o-9", "op": "release"})
    assert service.stock.reservations() == [("o-1", "sku-0001", 2)]


@pytest.mark.parametrize("order_id", ["", "a%2Fb", "%2F", "a%0A", "-o", "..", "x" * 65])
def test_an_id_that_is_none_is_refused_by_the_rule(client, order_id):
    answer = reserve(client, order_id)
    assert (answer.status_code, answer.get_json()["field"]) == (400, "order_id")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", b"", 404),
        ("POST", "/reservations/o-1", b"", 405),
        ("PUT", "/reservations/o-1", b"x" * 70_000, 413),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(client, method, path, body, status):
    answer = client.open(path, method=method, data=body, headers=ORDERS)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert "accepted: PUT, DELETE /reservations/ORDER_ID" in answer.get_json()["detail"]


def test_a_method_that_is_not_there_names_those_that_are(client):
    assert set(client.post("/catalogue").headers["Allow"].split(", ")) >= {"GET"}


def test_a_fault_of_ours_is_an_unknown_fate_and_a_traceback(service, client, monkeypatch, caplog):
    monkeypatch.setattr(service, "reserve", lambda *_: 1 / 0)
    answer = reserve(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (500, False)
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text
    assert service.in_flight == 0


def test_what_was_done_can_be_counted_by_caller_and_outcome(client):
    reserve(client)
    reserve(client, headers={})
    told = client.get("/metrics").text
    ours, strangers = (f'callee="inventory",caller="{who}",op="reserve"' for who in CALLERS)
    for line in [
        f'requests_total{{{ours},outcome="reserved"}} 1.0',
        f'requests_total{{{strangers},outcome="unavailable"}} 1.0',
        f"request_seconds_count{{{ours}}} 1.0",
        'in_flight{callee="inventory-1"} 0.0',
    ]:
        assert line in told


def test_who_drains_is_not_ready_and_still_serves(service, client):
    assert client.get("/ready").status_code == 200
    service.draining.set()
    assert client.get("/ready").status_code == 503
    assert reserve(client).status_code == 201


REGISTRIES = {
    "content": (says(response({})), ""),
    "content without a word": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), "status 204"),
    "broken": (says(response(b"<html>", 500)), "status 500"),
    "elsewhere": (says(response({}, 307, "Location: http://127.0.0.1:1/\r\n")), "status 307"),
    "dead": (lambda _: None, "ConnectionError"),
    "no registry": (says(b"hello\r\n\r\n"), "ConnectionError"),
    "asleep": (lambda _: time.sleep(1), "ReadTimeout"),
    "cut off": (says(response(b"x" * 99)[:60]), ""),  # its status came
}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_the_heart_goes_on_whatever_the_registry_is(service, registry):
    script, complaint = REGISTRIES[registry]
    with server(script) as (service.registry, heard):
        assert service._beat() == complaint
    assert heard[0].startswith(b"PUT /services/inventory/inventory-1 ")


def test_a_refusal_of_the_registry_says_what_it_said(service):
    service.url = "http://192.0.2.1:1"
    with server(says(response({"detail": "accepted: loopback"}, 400))) as (service.registry, _):
        with pytest.raises(ValueError, match="accepted: loopback"):
            service.register(service.url)
        # on a busy machine a beat may be given up before its answer is read: the next one is heard
        beats = (service._beat() for _ in range(5))
        assert any("accepted: loopback" in said for said in beats), "and the heart goes on"


def test_a_registry_that_comes_late_is_waited_for(service):
    late = [says(response({}, 500)), says(response({}, 500)), says(response({}))]
    with server(lambda connection: late.pop(0)(connection)) as (service.registry, heard):
        service.register("http://127.0.0.1:1")
    assert len(heard) == 3


def test_a_span_of_its_own_belongs_to_the_callers_trace(client, tmp_path, monkeypatch):
    monkeypatch.setenv("ERAS_TRACE", str(tmp_path))
    reserve(client, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    (path,) = tmp_path.glob("inventory-1-*.jsonl")
    event = json.loads(path.read_text())
    assert (event["trace"], event["parent"]) == ("a" * 32, "b" * 16)
    assert event["span"] not in ("", event["parent"])
    assert event["note"] == "reserve o-1 sku-0001 2: reserved"
