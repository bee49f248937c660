"""Registry, three inventories and orders as processes: killed, stopped, moved, robbed.

Eras 3 and 4 promise the same here, so what one survives the other must.
"""

import http.client
import json
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from era0_naive import shop
from lab.stage import Stage
from tests.era3.fakes import response, says, server
from tests.era3.tokens import bearer
from tests.shop import roles

ERAS = ["era3_inline_microservice", "era4_framework"]
CUSTOMERS = 4
PATIENCE_S = 10.0
AT_ONCE_S = 0.25  # less than a service that is told to stop goes on serving
PAUSE_S = 0.01  # between two orders of a customer: somebody is always being served all the same


@pytest.fixture(params=ERAS)
def era(request) -> str:
    return request.param


@pytest.fixture
def stage(era, tmp_path, seed) -> Iterator[Stage]:
    with Stage(era, "portable", seed=seed, directory=tmp_path) as stage:
        yield stage


@contextmanager
def ordering(stage: Stage) -> Iterator[list[dict]]:
    """Customers order, one thing at a time; the answers so far. Ends them when the block does."""
    answers: list[dict] = []
    is_over = threading.Event()

    def order(name: str) -> None:
        customer = stage.customer(name)
        number = 0
        while not is_over.is_set():
            number += 1
            sku = f"sku-{number % 1000 + 1:04}"
            answers.append(customer.place(f"{name}-{number}", sku, 1))
            is_over.wait(PAUSE_S)

    crowd = [threading.Thread(target=order, args=[f"customer-{n}"]) for n in range(CUSTOMERS)]
    for customer in crowd:
        customer.start()
    try:
        until(lambda: len(answers) > 20)
        yield answers
        more = len(answers) + 20
        until(lambda: len(answers) > more)
    finally:
        is_over.set()
        for customer in crowd:
            customer.join()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def broken_laws(folder: Path) -> list[str]:
    stock, book = shop.Stock(folder / "stock.db"), shop.Book(folder / "book.db")
    with closing(stock), closing(book):
        return shop.broken_laws(stock, book)


def outcomes(answers: list[dict]) -> set[str]:
    return {answer["outcome"] for answer in answers}


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
        return response.read()


def fetch(url: str, method: str = "GET", headers: dict | None = None, body: bytes | None = None):
    """Status and JSON of an answer, whatever it is."""
    request = urllib.request.Request(url, method=method, headers=headers or {}, data=body)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def listed(stage: Stage) -> list[str]:
    _, told = fetch(f"{stage.registry_url}/services/inventory")
    return [each["name"] for each in told["instances"]]


def known_to_orders(stage: Stage) -> list[str]:
    return fetch(f"{stage.url}/ready")[1]["instances"]


def test_kill_9_of_one_of_three_refuses_no_order(stage):
    with ordering(stage) as answers:
        stage.kill("inventory-2")
        until(lambda: known_to_orders(stage) == ["inventory-1", "inventory-3"])
    assert outcomes(answers) == {"placed"}
    assert broken_laws(stage.directory) == []


def test_sigterm_drains_an_instance_that_is_at_work_and_refuses_no_order(stage):
    with ordering(stage) as answers:
        assert stage.terminate("inventory-2") == 0
    assert outcomes(answers) == {"placed"}
    assert "inventory-2" not in listed(stage)
    assert "Traceback" not in stage.logs("inventory-2")
    notes = [event.note for event in stage.trace() if event.process == "orders"]
    assert not [note for note in notes if "connection" in note], "nobody found the door shut"


def test_orders_finishes_what_it_has_begun_before_it_ends(stage):
    """Every attempt meets silence, so the answer comes later than orders stays open anyway."""
    for name in stage.instances:
        stage.pause(name)
    answers = []
    customer = stage.customer()
    asking = threading.Thread(target=lambda: answers.append(customer.place("o-1", "sku-0001", 1)))
    asking.start()
    until(lambda: any(event.process == "orders" for event in stage.trace()))
    assert stage.terminate("orders") == 0
    asking.join()
    assert outcomes(answers) == {"unavailable"}
    assert "attempt 3 of 3" in answers[0]["detail"]


@pytest.mark.parametrize("role", ["orders", "inventory-1"])
def test_who_is_let_in_before_sigterm_gets_a_whole_answer_and_nobody_is_waited_for_in_vain(
    stage, role
):
    """Six customers ask without a pause on connections that they keep."""
    token = bearer("orders", "inventory", secret=stage.secret.read_bytes().strip())
    answers: list[http.client.HTTPResponse] = []
    cut_off: list[Exception] = []

    def ask(connection: http.client.HTTPConnection, number: int) -> None:
        if role == "orders":
            order = json.dumps({"sku": f"sku-{number % 1000 + 1:04}", "quantity": 1})
            connection.request("PUT", f"/orders/{threading.get_ident()}-{number}", order)
        else:
            connection.request("GET", "/catalogue", headers=token)
        answer = connection.getresponse()
        answer.read()
        answers.append(answer)

    def go_on_until_the_door_is_shut() -> None:
        connection = http.client.HTTPConnection(door, timeout=PATIENCE_S)
        number, is_new, answered_at = 0, True, time.monotonic()
        try:
            while True:
                number, is_new = number + 1, connection.sock is None
                ask(connection, number)
                answered_at = time.monotonic()
        except (http.client.HTTPException, OSError) as error:
            # who was not let in is not cut off, nor who paused for long: he may be hung up on
            if not is_new and time.monotonic() - answered_at < AT_ONCE_S:
                cut_off.append(error)

    door = (stage.url if role == "orders" else stage.address(role)).removeprefix("http://")
    crowd = [threading.Thread(target=go_on_until_the_door_is_shut) for _ in range(6)]
    for customer in crowd:
        customer.start()
    until(lambda: len(answers) > 20)
    began = time.monotonic()
    assert stage.terminate(role) == 0
    took_s = time.monotonic() - began
    for customer in crowd:
        customer.join()
    assert cut_off == []
    assert {answer.status for answer in answers} <= {200, 201}
    assert took_s < 3.5, "its bound was reached, and nobody was under way for so long"
    assert "Traceback" not in stage.logs(role)


def test_an_answer_that_is_read_slowly_is_sent_whole_before_the_end(stage):
    """Many catalogues at once, more than the kernel's buffers hold, to a customer who is busy."""
    many = 20
    host, port = stage.url.removeprefix("http://").split(":")
    with socket.socket() as customer:
        customer.connect((host, int(port)))
        customer.sendall(b"GET /catalogue HTTP/1.1\r\nHost: shop\r\n\r\n" * many)
        served = f'op="catalogue",outcome="catalogue"}} {many}.0'.encode()
        until(lambda: served in read(f"{stage.url}/metrics"))
        received, ended = b"", []
        ending = threading.Thread(target=lambda: ended.append(stage.terminate("orders")))
        ending.start()
        time.sleep(1.0)  # longer than orders stays open anyway
        while piece := customer.recv(1 << 20):
            received += piece
        ending.join()
    assert ended == [0]
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"sku-1500") == many


def test_a_dead_registry_stops_nobody(stage):
    stage.kill("registry")
    with ordering(stage) as answers:
        stage.kill("inventory-1")  # nobody is told: the breaker finds out
    assert outcomes(answers) == {"placed"}


def test_a_registry_that_starts_again_is_filled_by_heartbeats(stage):
    stage.kill("registry")
    stage.restart("registry")
    until(lambda: listed(stage) == ["inventory-1", "inventory-2", "inventory-3"])
    assert stage.customer().place("o-1", "sku-0001", 1)["outcome"] == "placed"


def test_an_instance_that_stands_still_is_forgotten_and_found_again(stage):
    stage.pause("inventory-3")
    until(lambda: listed(stage) == ["inventory-1", "inventory-2"])
    stage.resume("inventory-3")
    until(lambda: "inventory-3" in listed(stage))


def test_an_instance_that_moves_is_found_where_it_is_now(stage):
    with ordering(stage) as answers:
        stage.move("inventory-1")
        until(lambda: "inventory-1" in known_to_orders(stage))
    assert outcomes(answers) == {"placed"}


def test_when_nobody_is_left_the_customer_is_told_and_the_shop_opens_again(stage):
    for name in stage.instances:
        stage.kill(name)
    answer = stage.customer().place("o-1", "sku-0001", 1)
    assert answer["outcome"] == "unavailable"
    stage.restart("inventory-1")
    customer = stage.customer()
    until(lambda: customer.place("o-1", "sku-0001", 1)["outcome"] == "placed")
    assert broken_laws(stage.directory) == []


def test_a_book_that_somebody_holds_is_told_long_before_the_deadline(stage):
    customer = stage.customer()
    customer.place("before", "sku-0001", 1)
    with closing(sqlite3.connect(stage.directory / "book.db")) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        refused = customer.place("o-1", "sku-0001", 1)
    assert (refused["outcome"], refused["certain"]) == ("unavailable", True)
    assert refused["detail"] == "somebody else holds the book; nothing was changed", "no deadline"
    assert customer.place("o-1", "sku-0001", 1)["outcome"] == "placed"


def test_a_stolen_token_opens_one_service_for_a_minute_and_no_other(stage):
    secret = stage.secret.read_bytes().strip()
    stolen = bearer("orders", "inventory", secret=secret)
    used = bearer("orders", "inventory", life_s=-60, secret=secret)
    body = b'{"sku": "sku-0001", "quantity": 1}'
    there = f"{stage.address('inventory-1')}/reservations/o-1"
    assert fetch(there, "PUT", used, body)[0] == 401
    assert fetch(there, "PUT", {}, body)[0] == 401
    elsewhere = f"{stage.registry_url}/services/inventory/inventory-1"
    assert fetch(elsewhere, "DELETE", stolen)[0] == 401
    assert fetch(there, "PUT", stolen, body)[0] == 201, "it is a bearer's token: era 5 does better"


def test_secrets_and_tokens_are_in_nothing_that_a_run_writes(stage, tmp_path):
    secret = stage.secret.read_bytes().strip()
    stage.customer().place("o-1", "sku-0001", 1)
    forged = bearer("orders", "inventory", secret=b"canary-forged-with-another-secret")
    told = [
        fetch(f"{stage.address('inventory-1')}/catalogue", headers=forged),
        fetch(f"{stage.registry_url}/services/inventory/x", "PUT", forged, b"{"),
        fetch(f"{stage.url}/orders/o-2", "PUT", forged, b"{"),
    ]
    stage.kill("registry")
    stage.kill("inventory-2")
    stage.customer().catalogue()
    metrics = [read(f"{url}/metrics") for url in exposed(stage)]
    stage.terminate("inventory-1")
    stage.terminate("orders")
    written = b"".join(path.read_bytes() for path in files(tmp_path) if path != stage.secret)
    written += b"".join(metrics) + repr(told).encode()
    assert b"sku-0001" in written and b"requests_total" in written, "there was something to grep"
    frames = b"".join(event.head for event in stage.trace())  # what an eavesdropper sees, he sees
    for canary in (secret, b"canary-forged", b"eyJ", forged["Authorization"].encode()):
        assert canary not in written
    assert secret not in frames


def exposed(stage: Stage) -> list[str]:
    return [stage.url, stage.address("inventory-1"), stage.address("inventory-3")]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ---- what is typed wrong


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret"
    path.write_text("5" * 64)
    return path


def test_a_secret_that_is_missing_or_short_is_named_and_not_told(era, tmp_path):
    short = tmp_path / "short"
    short.write_text("canary")
    for path in (short, tmp_path / "none", tmp_path):
        said = roles.refused(era, "registry", "--listen", "http://127.0.0.1:0", "--secret", path)
        assert f"secret {path}" in said
        assert "accepted: a file of at least 32 bytes" in said
        assert "canary" not in said


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("tcp://127.0.0.1:0", "accepted: http://HOST:PORT"),
        ("http://127.0.0.1", "accepted: http://HOST:PORT"),
        ("http://192.0.2.1:0", "accepted: an address of this machine"),
    ],
)
@pytest.mark.parametrize("role", ["registry", "inventory", "orders"])
def test_an_address_that_cannot_be_listened_at_is_named(era, tmp_path, secret, role, listen, said):
    told = ["--listen", listen, "--secret", secret]
    if role != "registry":
        told += ["--registry", "http://127.0.0.1:1", "--store", tmp_path / "store.db"]
    if role == "inventory":
        told += ["--name", "inventory-1"]
    complaint = roles.refused(era, role, *told)
    assert repr(listen) in complaint and said in complaint


def test_a_network_that_is_none_is_named(era, secret):
    told = ["--listen", "http://127.0.0.1:0", "--secret", secret, "--network", "loopback"]
    assert "'loopback'" in roles.refused(era, "registry", *told)


def test_an_instance_that_the_registry_refuses_does_not_start(era, tmp_path, secret):
    with roles.role(era, "registry", "--listen", "http://127.0.0.1:0", "--secret", secret) as (
        _,
        registry,
    ):
        told = ["--name", "inventory-1", "--listen", "http://127.0.0.1:0", "--registry", registry]
        told += ["--store", tmp_path / "stock.db"]
        elsewhere = ["--secret", secret, "--advertise", "http://192.0.2.1:80"]
        said = roles.refused(era, "inventory", *told, *elsewhere)
        assert "accepted: http://IP:PORT inside 127.0.0.0/8" in said
        other = tmp_path / "other"
        other.write_text("6" * 64)
        assert "InvalidSignatureError" in roles.refused(era, "inventory", *told, "--secret", other)


def test_sigterm_while_it_registers_gives_back_what_may_have_been_taken(era, tmp_path, secret):
    """The registry may have granted the lease before its answer failed."""
    told = ["--name", "inventory-1", "--listen", "http://127.0.0.1:0", "--secret", secret]
    told += ["--store", tmp_path / "stock.db"]
    with (
        server(says(response({}, 500))) as (registry, heard),
        roles.spawn(era, "inventory", *told, "--registry", registry) as process,
    ):
        until(lambda: heard)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
        # who is busy reads it after its sender has had enough
        until(lambda: heard[-1].startswith(b"DELETE /services/inventory/inventory-1 "))


def has_open(process: subprocess.Popen, path: Path) -> bool:
    opened = Path(f"/proc/{process.pid}/fd").iterdir()
    with suppress(FileNotFoundError):  # one of them closed while we looked
        return path in [each.readlink() for each in opened]
    return False


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="/proc tells what a process waits for"
)
def test_an_instance_waits_at_its_start_for_who_holds_the_store(era, tmp_path, secret):
    store = tmp_path / "stock.db"
    other = shop.Stock(store, shop.catalogue())
    told = ["--listen", "http://127.0.0.1:0", "--secret", secret]
    with closing(other), roles.role(era, "registry", *told) as (_, registry), ExitStack() as held:
        held.enter_context(other.transaction())
        told += ["--name", "inventory-1", "--registry", registry, "--store", store]
        with roles.spawn(era, "inventory", *told) as process:
            until(lambda: has_open(process, tmp_path / "stock.db-shm"))  # next it writes
            time.sleep(0.6)  # no event: longer than it waits for the store once it serves
            assert process.poll() is None
            held.close()
            assert "inventory ready at" in process.stdout.readline()
            process.kill()


def test_orders_starts_without_a_registry_and_without_a_list(era, tmp_path, secret):
    told = ["--listen", "http://127.0.0.1:0", "--registry", "http://127.0.0.1:1"]
    told += ["--store", tmp_path / "book.db", "--secret", secret]
    with roles.role(era, "orders", *told) as (process, url):
        assert fetch(f"{url}/ready") == (503, {"ready": False, "instances": []})
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert "Traceback" not in process.stderr.read()
