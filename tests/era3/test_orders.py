"""Orders without its process: the call path, its pieces on virtual time, callees that misbehave."""

import itertools
import json
import math
import random
import socket
import struct
import time
from collections import Counter

import jwt
import pytest

from era0_naive import shop
from era3_inline_microservice import orders as era3
from era3_inline_microservice.orders import (
    Instance,
    NoAnswer,
    Orders,
    RetryBudget,
    TurnedAway,
    Unreachable,
)
from tests.era3.fakes import refusing_url, response, says, server
from tests.era3.tokens import SECRET

TWO = {"sku": "sku-0001", "quantity": 2}
RESERVED = shop.Outcome("reserved")
SOLD_OUT = shop.Outcome("out_of_stock", "2 asked, 1 left")


@pytest.fixture
def service(tmp_path):
    book = shop.Book(tmp_path / "book.db")
    yield Orders(book, refusing_url(), SECRET)
    book.close()


@pytest.fixture
def client(service):
    return era3.routes(service).test_client()


def knows(service: Orders, *urls: str) -> None:
    service.instances = [Instance(f"inventory-{n}", url) for n, url in enumerate(urls, 1)]


def place(client, order_id="o-1", body=TWO, **headers):
    return client.put(f"/orders/{order_id}", json=body, headers=headers)


# ---- the breaker, on virtual time


def tripped(at: float) -> Instance:
    instance = Instance("inventory-1", "http://127.0.0.1:1")
    for _ in range(era3.FAILURES_TO_TRIP):
        instance.record(instance.admit(at), "failure", at)
    return instance


def test_five_failures_in_a_row_open_the_breaker_and_four_do_not():
    instance = Instance("inventory-1", "http://127.0.0.1:1")
    for _ in range(4):
        instance.record(instance.admit(1.0), "failure", 1.0)
    assert instance.admits(1.0)
    instance.record(instance.admit(1.0), "failure", 1.0)
    assert not instance.admits(1.0)


def test_a_success_in_between_starts_the_count_anew():
    instance = Instance("inventory-1", "http://127.0.0.1:1")
    for verdict in ["failure"] * 4 + ["success"] + ["failure"] * 4:
        instance.record(instance.admit(1.0), verdict, 1.0)
    assert instance.admits(1.0)


def test_one_probe_passes_after_cool_down():
    instance = tripped(at=10.0)
    assert instance.admit(10.9) is None
    assert instance.admit(11.0) is not None
    assert instance.admit(11.0) is None


def test_the_probe_decides():
    instance = tripped(at=10.0)
    instance.record(instance.admit(11.0), "failure", 11.4)
    assert not instance.admits(12.3)
    instance.record(instance.admit(12.4), "success", 12.5)
    assert instance.admits(12.5) and instance.admits(12.5)
    assert instance.state() == 0


def test_a_straggler_from_before_the_trip_is_no_probe():
    instance = Instance("inventory-1", "http://127.0.0.1:1")
    straggler = instance.admit(9.0)
    for _ in range(5):
        instance.record(instance.admit(10.0), "failure", 10.0)
    probe = instance.admit(11.0)
    instance.record(straggler, "success", 11.1)
    assert instance.state() == 1, "half open: only the probe's own answer counts"
    instance.record(straggler, "failure", 11.1)
    instance.record(probe, "success", 11.2)
    assert instance.state() == 0


def test_a_probe_without_a_verdict_gives_its_place_back():
    instance = tripped(at=10.0)
    instance.record(instance.admit(11.0), "ignored", 11.1)
    assert instance.admit(11.1) is not None


def test_a_call_made_while_the_breaker_is_open_teaches_nothing():
    instance = tripped(at=10.0)
    instance.record(instance.admit(10.5), "success", 10.6)
    assert not instance.admits(10.6)
    instance.record(instance.admit(10.5), "failure", 10.9)
    assert instance.admits(11.0), "nor does it prolong the cool-down"


# ---- the retry budget, on virtual time


def retries_of(failures: int) -> int:
    budget = RetryBudget()
    for _ in range(failures):
        budget.deposit(now=50.0)
    return sum(budget.try_withdraw(now=50.0) for _ in range(failures))


def test_of_a_thousand_requests_that_fail_three_hundred_are_tried_again():
    """Finagle's defaults: a fifth of the requests, and 10 a second over 10 s."""
    assert retries_of(1000) == 100 + 200
    assert retries_of(100) == 100


def test_the_budget_forgets_after_its_ten_seconds():
    budget = RetryBudget()
    assert sum(budget.try_withdraw(now=0.0) for _ in range(200)) == 100
    assert not budget.try_withdraw(now=9.9)
    assert sum(budget.try_withdraw(now=10.0) for _ in range(200)) == 100


# ---- the choice


def test_of_two_the_less_busy_one_is_asked(service):
    knows(service, "http://127.0.0.1:1", "http://127.0.0.1:2")
    service.instances[0].in_flight = 3
    chosen = [service._choose("reserve", [], 1.0)[0].name for _ in range(3)]
    assert chosen == ["inventory-2"] * 3


def test_the_busiest_of_many_is_never_asked(service):
    random.seed(7)
    knows(service, *(f"http://127.0.0.1:{n}" for n in range(1, 5)))
    service.instances[2].in_flight = 10_000
    assert "inventory-3" not in {service._choose("reserve", [], 1.0)[0].name for _ in range(200)}


def test_of_equals_each_is_asked_its_share_of_changes(service):
    random.seed(7)
    knows(service, *(f"http://127.0.0.1:{n}" for n in (1, 2, 3)))
    asked = Counter()
    for _ in range(300):
        instance, _ = service._choose("reserve", [], 1.0)
        instance.in_flight -= 1
        asked[instance.name] += 1
    assert min(asked.values()) > 70 and len(asked) == 3


def test_catalogues_are_asked_for_in_turn_however_busy_anybody_is(service):
    knows(service, *(f"http://127.0.0.1:{n}" for n in (1, 2, 3)))
    service.instances[1].in_flight = 9
    asked = [service._choose("catalogue", [], 1.0)[0].name for _ in range(6)]
    assert asked == ["inventory-1", "inventory-2", "inventory-3"] * 2
    trip(service.instances[1])
    asked = {service._choose("catalogue", service.instances[:1], 1.0)[0].name for _ in range(6)}
    assert asked == {"inventory-3"}, "neither tried nor broken ones have a turn"


def test_what_was_tried_is_avoided_while_there_is_another(service):
    knows(service, "http://127.0.0.1:1", "http://127.0.0.1:2")
    first, second = service.instances
    second.in_flight = 9
    assert service._choose("reserve", [first], 1.0)[0] is second
    assert service._choose("reserve", [first, second], 1.0)[0] is first


def test_an_open_breaker_is_avoided_while_there_is_another(service):
    knows(service, "http://127.0.0.1:1", "http://127.0.0.1:2")
    first, second = service.instances
    trip(second)
    first.in_flight = 9
    assert service._choose("reserve", [], 1.0)[0] is first
    assert service._choose("reserve", [first], 1.0)[0] is first, "tried before an open one"


def test_when_all_breakers_are_open_one_is_asked_all_the_same(service):
    knows(service, "http://127.0.0.1:1", "http://127.0.0.1:2")
    for instance in service.instances:
        trip(instance)
    instance, permit = service._choose("reserve", [], 1.0)
    assert instance in service.instances and permit is None


def trip(instance: Instance) -> None:
    for _ in range(5):
        instance.record(instance.admit(1.0), "failure", 1.0)


# ---- attempts, with a script in place of the network


@pytest.fixture
def script(service, monkeypatch):
    """What the attempts come to, one after the other; `asked` tells who was asked."""
    knows(service, *(f"http://127.0.0.1:{n}" for n in (1, 2, 3)))
    monkeypatch.setattr(era3, "BACKOFF_BASE_S", 0.0)
    asked: list[str] = []

    def run(*results):
        left = list(results)

        def exchange(instance, request, span):
            asked.append(instance.name)
            result = left.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(service, "_exchange", exchange)
        return asked

    return run


def test_a_failed_attempt_is_repeated_elsewhere(client, script):
    asked = script(Unreachable("refused"), NoAnswer("silent"), RESERVED)
    assert place(client).status_code == 201
    assert len(set(asked)) == 3


def test_after_three_attempts_the_customer_is_told(client, script):
    asked = script(*[Unreachable("refused")] * 4)
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"], len(asked)) == (503, True, 3)
    assert "attempt 3 of 3" in answer.get_json()["detail"]
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/orders/o-1").status_code == 404


def test_one_attempt_that_was_lost_makes_the_fate_unknown(client, script):
    script(NoAnswer("silent"), Unreachable("refused"), Unreachable("refused"))
    assert place(client).get_json()["certain"] is False
    script(RESERVED)
    assert place(client).status_code == 201, "repeating it settles it"


def test_a_refusal_after_a_lost_attempt_takes_back_what_that_one_may_reserve_yet(client, script):
    """It may still stand in a queue, and find the shelf filled again when its turn comes."""
    released = shop.Outcome("released")
    asked = script(NoAnswer("silent"), SOLD_OUT, released)
    assert place(client).status_code == 409
    assert len(asked) == 3


@pytest.mark.parametrize("kind", ["invalid", "unknown_sku"])
def test_what_another_instance_does_not_understand_proves_nothing_about_a_lost_attempt(
    client, script, kind
):
    script(NoAnswer("silent"), shop.Outcome(kind, "never heard of it"))
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (503, False)
    script(RESERVED)
    assert place(client).status_code == 201, "the order is still in the book, and settled by this"


def test_a_quota_spent_after_a_lost_attempt_leaves_the_fate_unknown(client, script):
    script(NoAnswer("silent"), shop.unavailable("quota is spent", certain=True))
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (503, False)


def test_a_refusal_that_came_first_is_believed(client, script):
    asked = script(SOLD_OUT)
    assert place(client).status_code == 409
    assert len(asked) == 1


def test_a_spent_budget_ends_the_retries(service, client, script):
    asked = script(*[Unreachable("refused")] * 3)
    while service.budget.try_withdraw(time.monotonic()):
        pass
    assert "retry budget is spent" in place(client).get_json()["detail"]
    assert len(asked) == 1


def test_no_attempt_is_made_after_the_deadline(client, script):
    asked = script(RESERVED)
    answer = place(client, **{"X-Deadline-Ms": "0"})
    assert (answer.status_code, answer.get_json()["certain"]) == (503, True)
    assert asked == []


def test_a_busy_instance_is_not_held_for_a_broken_one(service, client, script):
    for _ in range(4):
        script(*[TurnedAway("full")] * 3)
        place(client)
    assert {instance.failures for instance in service.instances} == {0}


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(era3.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(era3.time, "sleep", clock.sleep)
    return clock


def test_who_says_when_to_come_again_does_not_speak_for_its_neighbours(client, script, clock):
    asked = script(*[TurnedAway("full", retry_after_s=1.0)] * 2, RESERVED)
    assert place(client).status_code == 201
    assert (clock.pauses, len(set(asked))) == ([0.0, 0.0], 3)


def test_whom_its_breaker_refuses_is_no_neighbour(service, client, script, clock):
    asked = script(*[TurnedAway("full", retry_after_s=1.0)] * 2, RESERVED)
    service.instances[2].opened_at = clock.now + 9.0
    assert place(client).status_code == 201
    assert (clock.pauses, len(set(asked))) == ([0.0, 1.0], 2)


def test_among_who_may_be_asked_next_the_longest_wish_counts(service):
    knows(service, "http://127.0.0.1:1", "http://127.0.0.1:2")
    one, two = service.instances
    assert service._rest_s({}, 100.0) == 0.0
    assert service._rest_s({one: 102.0}, 100.0) == 0.0
    assert service._rest_s({one: 102.0, two: 101.0}, 100.5) == 1.5
    assert service._rest_s({one: 102.0, two: 101.0}, 103.0) == 0.0


def test_who_is_alone_and_says_when_to_come_again_is_not_asked_before(
    service, client, script, clock
):
    asked = script(TurnedAway("full", retry_after_s=1.0), RESERVED)
    knows(service, "http://127.0.0.1:1")
    assert place(client).status_code == 201
    assert (clock.pauses, len(asked)) == ([1.0], 2)
    script(TurnedAway("full", retry_after_s=3.0))
    answer = place(client, "o-2")
    assert (answer.status_code, answer.get_json()["certain"], len(asked)) == (503, True, 2 + 1)
    assert "no time for another" in answer.get_json()["detail"]


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize(
    ("told", "seconds"), [("2", 2.0), ("soon", 0.0), ("-1", 0.0), ("9" * 9, 0.0), ("\u0663", 0.0)]
)
def test_when_to_come_again_is_one_of_whole_seconds(
    service, client, told, seconds, certain, monkeypatch
):
    pauses: list[float] = []
    monkeypatch.setattr(era3, "BACKOFF_BASE_S", 0.0)
    monkeypatch.setattr(era3.time, "sleep", pauses.append)
    refusal = shop.unavailable("full", certain).message()
    header = f"Retry-After: {told}\r\nConnection: close\r\n"
    with server(says(response(refusal, 503, header))) as (url, heard):
        knows(service, url)
        assert place(client).status_code == 503
    # counted from when it was said, a moment before the pause begins
    assert (math.ceil(pauses[0]), len(heard)) == (seconds, era3.ATTEMPTS)


def test_an_impatient_customer_cannot_open_a_breaker(service, client):
    with server(lambda _: time.sleep(0.5)) as (url, heard):
        knows(service, url)
        customers = itertools.count()
        while len(heard) <= era3.FAILURES_TO_TRIP:  # on a busy machine some do not get so far
            place(client, f"o-{next(customers)}", **{"X-Deadline-Ms": "50"})
    assert (service.instances[0].failures, service.instances[0].state()) == (0, 0)


def test_whatever_happens_nobody_is_counted_as_in_flight_afterwards(service, client, script):
    script(TurnedAway("full"), NoAnswer("silent"), RuntimeError("a bug of ours"))
    assert place(client).status_code == 500
    assert [each.in_flight for each in service.instances] == [0, 0, 0]
    assert service.in_flight == 0


# ---- what a callee can do to us


def ask_one(service: Orders, client, url: str):
    """What one attempt comes to: the family of the failure is in `certain`."""
    knows(service, url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(era3, "ATTEMPTS", 1)
        return place(client).get_json()


def test_nobody_there_is_certain(service, client):
    told = ask_one(service, client, refusing_url())
    assert told["certain"] is True
    assert "inventory-1: no connection" in told["detail"]


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def too_long(connection: socket.socket) -> None:
    length = era3.MOST_ANSWER_BYTES + 1
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
    for _ in range(length // 65_536 + 1):
        connection.sendall(b" " * 65_536)


LOST = {
    "closes at once": (lambda _: None, "connection lost"),
    "resets": (reset, "connection lost"),
    "is silent": (lambda _: time.sleep(1), "silent for 0.5 s"),
    "ends in mid-answer": (says(response(b"x" * 99)[:60]), "connection lost"),
    "is no HTTP": (says(b"hello\r\n\r\n"), "connection lost"),
    "is no JSON": (says(response(b"<html>")), "not JSON"),
    "is deep JSON": (says(response(b"[" * 100_000)), "not JSON"),
    "is no object": (says(response([])), "status 200"),
    "is no outcome": (says(response({"reserved": True})), "status 200"),
    "is another outcome": (says(response({"outcome": "placed"})), "status 200, placed"),
    "sends us elsewhere": (says(response({}, 307, "Location: http://127.0.0.1:1/\r\n")), "307"),
    "fails": (says(response({"outcome": "unavailable", "certain": False}, 500)), "status 500"),
    "fails as a proxy does": (says(response(b"{}", 502)), "status 502"),
    "is a 503 of somebody else": (says(response(b"{}", 503)), "status 503"),
    "is packed": (says(response(b"\x1f\x8b\x08", more="Content-Encoding: gzip\r\n")), "not JSON"),
    "is too long": (too_long, "more than 16777216 bytes"),
}


@pytest.mark.parametrize("how", LOST)
def test_an_answer_that_says_nothing_leaves_the_fate_unknown(service, client, how):
    script, said = LOST[how]
    with server(script) as (url, _):
        told = ask_one(service, client, url)
    assert told["certain"] is False
    assert said in told["detail"]


def test_a_callee_that_trickles_is_not_waited_for_beyond_the_deadline(service, client):
    with server(trickle) as (url, _):
        knows(service, url)
        began = time.monotonic()
        told = place(client, **{"X-Deadline-Ms": "700"}).get_json()
        took_s = time.monotonic() - began
    assert told["certain"] is False
    assert "bytes of its answer in time" in told["detail"]
    assert took_s < 25, "half of what it would have lasted"


OUTCOMES = ["reserved", "invalid", "unknown_sku", "conflict", "out_of_stock"]
OWN = {"reserved": (200, 201), "invalid": (400,), "unknown_sku": (404,)}
OWN |= dict.fromkeys(("conflict", "out_of_stock"), (409,))
STATUSES = [200, 201, 202, 400, 401, 403, 404, 405, 409, 413, 429, 500, 502, 503, 504]


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("status", STATUSES)
def test_an_outcome_is_believed_under_its_own_status_only(service, client, kind, status):
    """An address that was inventory's may belong to another service of the shop by now."""
    with server(says(response({"outcome": kind, "detail": "so"}, status))) as (url, _):
        told = ask_one(service, client, url)
    if status in OWN[kind]:
        assert told["outcome"] == kind.replace("reserved", "placed")
        return
    assert (told["outcome"], told["certain"]) == ("unavailable", False)
    assert "its answer makes no sense" in told["detail"]
    assert service.instances[0].failures == 1


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500, 502])
def test_a_refusal_that_calls_itself_certain_is_believed_under_its_own_status_only(
    service, client, status
):
    refusal = {"outcome": "unavailable", "certain": True, "detail": "not today"}
    with server(says(response(refusal, status))) as (url, _):
        assert ask_one(service, client, url)["certain"] is False


def test_an_address_that_is_another_orders_by_now_is_not_believed(service, client, tmp_path):
    """The registry may be late: where inventory was, a second orders listens."""
    book = shop.Book(tmp_path / "other.db")
    other = era3.routes(Orders(book, refusing_url(), SECRET)).test_client()
    answer = other.put("/reservations/o-1", json=TWO)
    book.close()
    assert answer.get_json()["outcome"] == "invalid"
    with server(says(response(answer.get_data(), answer.status_code))) as (url, _):
        assert ask_one(service, client, url)["certain"] is False


@pytest.mark.parametrize("status", [401, 403, 429, 503, 504])
def test_a_refusal_in_problem_details_is_certain(service, client, status):
    refusal = {"outcome": "unavailable", "certain": True, "detail": "not today"}
    with server(says(response(refusal, status))) as (url, _):
        told = ask_one(service, client, url)
    assert told["certain"] is True
    assert "not today" in told["detail"]


def test_an_instance_with_a_stale_secret_eats_no_orders(service, client):
    stale = {"outcome": "unavailable", "certain": True, "detail": "InvalidSignatureError"}
    good = says(*[response({"outcome": "reserved"}, 201)] * 20)
    with server(says(*[response(stale, 401)] * 20)) as (one, _), server(good) as (two, _):
        knows(service, one, two)
        answers = [place(client, f"o-{n}").status_code for n in range(20)]
    assert answers == [201] * 20
    told = client.get("/metrics").text
    assert 'instance="inventory-1",verdict="ignored"' in told, "it was asked"
    assert service.instances[0].state() == 0


def test_a_quota_is_not_asked_again(service, client):
    refusal = {"outcome": "unavailable", "certain": True, "detail": "quota of orders is spent"}
    with server(says(response(refusal, 429))) as (url, heard):
        knows(service, url)
        assert place(client).status_code == 503
    assert len(heard) == 1


def test_connections_are_kept(service, client):
    reserved = response({"outcome": "reserved"}, 201)
    with server(says(*[reserved] * 10)) as (url, heard):
        knows(service, url)
        for n in range(10):
            assert place(client, f"o-{n}").status_code == 201
    assert len(heard) == 1


def test_every_question_carries_who_asks_how_long_it_waits_and_for_which_trace(
    service, client, monkeypatch
):
    monkeypatch.setattr(era3.time, "monotonic", lambda: 100.0)
    with server(says(response({"outcome": "reserved"}, 201))) as (url, heard):
        knows(service, url)
        place(client, traceparent=f"00-{'a' * 32}-{'b' * 16}-01", **{"X-Deadline-Ms": "1000"})
    head, _, body = heard[0].decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert first == "PUT /reservations/o-1 HTTP/1.1"
    assert json.loads(body) == TWO
    assert headers["x-deadline-ms"] == "999"
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", "a" * 32, "01")
    assert len(span) == 16 and span != "b" * 16
    token = next(line for line in lines if line.startswith("Authorization")).split()[2]
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="inventory")
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("orders", 60)


@pytest.mark.parametrize(
    ("asked", "passed_on"), [("1000", b"999"), ("1", b"0"), ("60000", b"2999")]
)
def test_what_is_left_shrinks_at_every_hop_however_fast_it_is(
    service, client, monkeypatch, asked, passed_on
):
    monkeypatch.setattr(era3.time, "monotonic", lambda: 100.0)
    with server(says(response({"outcome": "reserved"}, 201))) as (url, heard):
        knows(service, url)
        place(client, **{"X-Deadline-Ms": asked})
    assert b"X-Deadline-Ms: " + passed_on + b"\r\n" in heard[0]


def test_no_proxy_of_the_environment_comes_between(service, client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", refusing_url())
    monkeypatch.setenv("http_proxy", refusing_url())
    with server(says(response({"outcome": "reserved"}, 201))) as (url, _):
        knows(service, url)
        assert place(client).status_code == 201


def test_a_token_is_renewed_at_half_its_life(service, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(era3.time, "monotonic", lambda: now)
    monkeypatch.setattr(era3.time, "time", lambda: 1_800_000_000 + now)
    first = service._token()
    now += 29
    assert service._token() == first
    now += 1
    assert service._token() != first


# ---- the registry


def follow(service: Orders, script) -> list[tuple[str, str]]:
    with server(script) as (url, _):
        service.registry = url
        service.refresh()
    return [(each.name, each.url) for each in service.instances]


TWO_OF_THEM = [
    {"name": "inventory-1", "url": "http://127.0.0.1:1"},
    {"name": "inventory-2", "url": "http://127.0.0.1:2"},
]
KNOWN = [(each["name"], each["url"]) for each in TWO_OF_THEM]


def listing(instances: object) -> bytes:
    return response({"service": "inventory", "instances": instances})


def test_the_list_is_what_the_registry_says(service):
    assert follow(service, says(listing(TWO_OF_THEM))) == KNOWN
    assert follow(service, says(listing(TWO_OF_THEM[1:]))) == KNOWN[1:]


def test_whoever_stays_in_the_list_keeps_what_was_learned_of_it(service):
    follow(service, says(listing(TWO_OF_THEM)))
    before = service.instances[1]
    follow(service, says(listing(TWO_OF_THEM[1:])))
    assert service.instances == [before]


def test_whoever_moves_starts_with_a_clean_record(service):
    follow(service, says(listing(TWO_OF_THEM)))
    before = service.instances[0]
    follow(service, says(listing([{"name": "inventory-1", "url": "http://127.0.0.1:9"}])))
    assert service.instances[0] is not before


RUBBISH = {
    "dead": lambda _: None,
    "empty": says(listing([])),
    "no JSON": says(response(b"<html>")),
    "another status": says(response({"instances": TWO_OF_THEM[:1]}, 500)),
    "a list": says(response(TWO_OF_THEM)),
    "instances that are none": says(listing("inventory-1")),
    "null": says(response(None)),
    "numbers": says(listing([1, None, [], "http://127.0.0.1:1"])),
    "addresses that are none": says(
        listing(
            [{"name": "x", "url": url} for url in (None, 7, "", "x", "http://a", "file:///etc")]
        )
    ),
    "names in place of addresses": says(
        listing([{"name": "x", "url": f"http://{host}:1"} for host in ("localhost", "127.1", "a")])
    ),
    "names that are none": says(
        listing([TWO_OF_THEM[0] | {"name": name} for name in (None, 7, "", "-x", "a b", "a" * 65)])
    ),
}


@pytest.mark.parametrize("what", RUBBISH)
def test_the_last_list_is_kept_when_the_registry_is(service, what):
    follow(service, says(listing(TWO_OF_THEM)))
    assert follow(service, RUBBISH[what]) == KNOWN


def test_the_attempts_of_whoever_left_are_forgotten(service, client, script):
    script(NoAnswer("silent"), NoAnswer("silent"), RESERVED)
    place(client)
    assert client.get("/metrics").text.count("attempts_total{") == 3
    follow(service, says(listing(TWO_OF_THEM)))
    told = client.get("/metrics").text
    assert told.count("attempts_total{") == 2
    assert "inventory-3" not in told


def test_of_a_list_that_makes_some_sense_that_part_is_used(service):
    mixed = [{"name": "x", "url": "nowhere"}, None, TWO_OF_THEM[1]]
    assert follow(service, says(listing(mixed))) == KNOWN[1:]


def test_of_a_list_without_an_end_the_beginning_is_used(service):
    many = [{"name": f"x-{n}", "url": f"http://127.0.0.1:{n}"} for n in range(1, 1000)]
    assert len(follow(service, says(listing(many)))) == era3.MOST_INSTANCES


def test_an_entry_that_points_nowhere_costs_an_attempt_and_no_order(service, client):
    with server(says(response({"outcome": "reserved"}, 201))) as (url, _):
        knows(service, url, refusing_url(), "http://host.invalid:1")
        service.instances[0].in_flight = 9  # the last choice
        assert place(client).status_code == 201


# ---- customers


def test_without_any_instance_orders_is_not_ready_and_says_so(service, client):
    assert client.get("/ready").status_code == 503
    assert "no instance of inventory is known" in place(client).get_json()["detail"]
    knows(service, "http://127.0.0.1:1")
    assert client.get("/ready").get_json() == {"ready": True, "instances": ["inventory-1"]}


def test_who_drains_is_not_ready_and_still_serves(service, client, script):
    script(RESERVED)
    service.draining.set()
    assert client.get("/ready").status_code == 503
    assert place(client).status_code == 201


def test_too_many_at_once_are_refused_before_anything_is_done(service, client, script):
    asked = script(RESERVED)
    service.in_flight = era3.MOST_IN_FLIGHT
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"], asked) == (503, True, [])
    service.in_flight = 0
    assert client.get("/orders/o-1").status_code == 404


def test_a_book_that_somebody_holds_is_a_certain_refusal(service, client, monkeypatch):
    def busy(*_):
        raise shop.Busy("/where/it/is/book.db was locked")

    monkeypatch.setattr(service.book, "begin", busy)
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (503, True)
    assert "/where/it/is" not in answer.text


@pytest.mark.parametrize("patience", ["soon", "-1", "1.5", "", "1" * 10])
def test_a_deadline_that_is_none_is_named(client, script, patience):
    asked = script(RESERVED)
    answer = place(client, **{"X-Deadline-Ms": patience})
    assert (answer.status_code, answer.get_json()["field"], asked) == (400, "X-Deadline-Ms", [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 50_000])
def test_a_body_that_is_no_object_is_named(client, body):
    answer = client.put("/orders/o-1", data=body)
    assert (answer.status_code, answer.get_json()["outcome"]) == (400, "invalid")
    assert "accepted: a JSON object" in answer.get_json()["detail"]


def test_a_fault_of_ours_is_an_unknown_fate_and_a_traceback(client, script, caplog):
    script(ZeroDivisionError("secret thoughts"))
    answer = place(client)
    assert (answer.status_code, answer.get_json()["certain"]) == (500, False)
    assert "ZeroDivisionError" in caplog.text
    assert "secret thoughts" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", b"", 404),
        ("POST", "/orders/o-1", b"", 405),
        ("PUT", "/orders/o-1", b"x" * 70_000, 413),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(client, method, path, body, status):
    answer = client.open(path, method=method, data=body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert "accepted: PUT, GET, DELETE /orders/ID" in answer.get_json()["detail"]


# ---- the trace


@pytest.mark.parametrize(
    ("header", "is_kept"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"00-{'a' * 32}-{'b' * 16}-00", True),
        (f"cc-{'a' * 32}-{'b' * 16}-01-what-later-versions-add", True),
        (f"00-{'a' * 32}-{'b' * 16}-01-more", False),
        (f"ff-{'a' * 32}-{'b' * 16}-01", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'0' * 16}-01", False),
        (f"00-{'A' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 31}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'b' * 16}-01\n", False),
        ("", False),
    ],
)
def test_a_trace_is_continued_if_its_header_is_right_and_begun_if_not(header, is_kept):
    trace, parent = era3._trace_context(header)
    assert len(trace) == 32
    assert ((trace, parent) == ("a" * 32, "b" * 16)) == is_kept
    assert is_kept or parent == ""


def test_the_spans_of_a_call_form_a_tree(client, script, tmp_path, monkeypatch):
    folder = tmp_path / "trace"
    folder.mkdir()
    monkeypatch.setenv("ERAS_TRACE", str(folder))
    script(NoAnswer("inventory-1: silent"), RESERVED)
    place(client)
    (path,) = folder.glob("orders-*.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    whats = [event["what"] for event in events]
    assert whats == ["call", "call", "note", "call", "answer", "answer"]
    outer, first, lost, second, inner_answer, outer_answer = events
    assert len({event["trace"] for event in events}) == 1
    assert outer["span"] == outer_answer["span"] == first["parent"] == second["parent"]
    assert first["span"] == lost["span"] != second["span"] == inner_answer["span"]
    assert second["note"] == "reserve o-1 sku-0001 2, attempt 2"
    assert lost["note"] == "inventory-1: silent"


# ---- the metrics


def test_calls_attempts_and_breakers_can_be_read(service, client, script):
    script(NoAnswer("silent"), RESERVED)
    place(client)
    trip(service.instances[2])
    told = client.get("/metrics").text
    for line in [
        'requests_total{callee="inventory",caller="orders",op="reserve",outcome="reserved"} 1.0',
        'requests_total{callee="orders",caller="customer",op="place",outcome="placed"} 1.0',
        'request_seconds_count{callee="orders",caller="customer",op="place"} 1.0',
        'breaker_state{callee="inventory",instance="inventory-3"} 2.0',
        'in_flight{callee="inventory",instance="inventory-1"} 0.0',
    ]:
        assert line in told
    assert told.count('verdict="failure"} 1.0') == told.count('verdict="success"} 1.0') == 1
