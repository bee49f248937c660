"""The same inventory in JavaScript: the business holds, and everything that the framework gave is
gone. Beside it, asked the same, the one in Python."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from era0_naive import shop
from lab.find import ROOT
from lab.stage import Stage, Variant
from tests.era3.tokens import bearer
from tests.era4.asking import fetch, head_of, until

NODE = shutil.which("node")
INVENTORY = ROOT / "era4_framework" / "inventory.mjs"
SHELF = {product["sku"]: product["stock"] for product in shop.catalogue()}
ONE = b'{"sku": "sku-0001", "quantity": 1}'

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed (node >= 18)")


@pytest.fixture(scope="module")
def goods(tmp_path_factory) -> Path:
    """The catalogue as a file: another language has no seeded one."""
    path = tmp_path_factory.mktemp("goods") / "catalogue.json"
    path.write_text(json.dumps(shop.catalogue()))
    return path


@pytest.fixture(scope="module", params=["node", "python"])
def language(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def stage(language, tmp_path_factory, seed, goods) -> Iterator[Stage]:
    """One shop for all tests: each has orders and goods of its own."""
    folder = tmp_path_factory.mktemp(language)
    node = Variant(argv=[str(NODE), str(INVENTORY)], registers=False)
    cast = {"inventory-1": node} if language == "node" else {}
    with Stage(
        "4", seed=seed, directory=folder, catalogue=goods, instances=1, variants=cast
    ) as stage:
        yield stage


@pytest.fixture
def inventory(stage) -> str:
    """Where anybody can reach it."""
    return stage.address("inventory-1")


# ---- the business


def test_orders_are_placed_once_and_cancelled_for_good(stage):
    customer = stage.customer()
    assert customer.place("a-1", "sku-0001", 2)["outcome"] == "placed"
    assert customer.place("a-1", "sku-0001", 2)["outcome"] == "already_placed"
    assert customer.place("a-1", "sku-0002", 2)["outcome"] == "conflict"
    assert customer.cancel("a-1")["outcome"] == "cancelled"
    assert customer.place("a-2", "sku-9999", 1)["outcome"] == "unknown_sku"
    assert customer.catalogue()["products"] == shop.catalogue()


def test_what_is_out_of_stock_is_there_again_after_a_cancellation(stage):
    customer = stage.customer()
    assert customer.place("b-1", "sku-0002", SHELF["sku-0002"])["outcome"] == "placed"
    assert customer.place("b-2", "sku-0002", 1)["outcome"] == "out_of_stock"
    assert customer.cancel("b-1")["outcome"] == "cancelled"
    assert customer.place("b-3", "sku-0002", SHELF["sku-0002"])["outcome"] == "placed"


def test_kill_9_and_a_new_start_lose_nothing(stage):
    customer = stage.customer()
    customer.place("c-1", "sku-0003", SHELF["sku-0003"])
    customer.place("c-2", "sku-0004", 1)
    customer.cancel("c-2")
    stage.kill("inventory-1")
    cut_short(stage)
    stage.restart("inventory-1")
    assert customer.place("c-3", "sku-0003", 1)["outcome"] == "out_of_stock"
    reserve = f"{stage.address('inventory-1')}/reservations"
    orders = bearer(secret=stage.secret.read_bytes().strip())
    repeated = fetch(f"{reserve}/c-1", "PUT", orders, body("sku-0003", SHELF["sku-0003"]))
    assert repeated == (200, {"outcome": "reserved", "detail": "repeated"})
    status, late = fetch(f"{reserve}/c-2", "PUT", orders, body("sku-0004", 1))
    assert (status, late["outcome"]) == (409, "conflict")


def cut_short(stage: Stage) -> None:
    """What a kill in the middle of a write leaves in a journal of lines."""
    for journal in stage.directory.glob("*.jsonl"):
        with journal.open("a") as file:
            file.write('{"op":"reserve","order_')


@pytest.mark.parametrize(
    ("order_id", "sku", "quantity", "field"),
    [
        ("-", "sku-0001", 1, "order_id"),
        ("a%2Fb", "sku-0001", 1, "order_id"),
        ("x" * 65, "sku-0001", 1, "order_id"),
        ("o-1", "", 1, "sku"),
        ("o-1", "a\nb", 1, "sku"),
        ("o-1", 7, 1, "sku"),
        ("o-1", "sku-0001", 0, "quantity"),
        ("o-1", "sku-0001", 1001, "quantity"),
        ("o-1", "sku-0001", 1.5, "quantity"),
        ("o-1", "sku-0001", True, "quantity"),
        ("o-1", "sku-0001", "1", "quantity"),
    ],
)
@pytest.mark.parametrize("language", ["node"], indirect=True)
def test_the_same_values_are_refused(stage, inventory, order_id, sku, quantity, field):
    status, told = fetch(f"{inventory}/reservations/{order_id}", "PUT", {}, body(sku, quantity))
    assert (status, told["outcome"], told["field"]) == (400, "invalid", field)


def body(sku: object, quantity: object) -> bytes:
    return json.dumps({"sku": sku, "quantity": quantity}).encode()


# ---- what the framework gave


def test_a_stranger_is_obeyed_by_one_and_turned_away_by_the_other(language, inventory):
    status, _ = fetch(f"{inventory}/reservations/d-1", "PUT", {}, ONE)
    assert status == {"node": 201, "python": 401}[language]


def test_a_quota_holds_for_one_only(language, stage, inventory):
    reports = bearer("reports", secret=stage.secret.read_bytes().strip())
    statuses = {fetch(f"{inventory}/catalogue", headers=reports)[0] for _ in range(30)}
    assert statuses == {"node": {200}, "python": {200, 429}}[language]


def test_work_is_done_by_one_for_a_caller_who_has_stopped_waiting(language, stage, inventory):
    late = bearer(secret=stage.secret.read_bytes().strip()) | {"X-Deadline-Ms": "0"}
    status, _ = fetch(f"{inventory}/reservations/e-1", "PUT", late, ONE)
    assert status == {"node": 201, "python": 504}[language]


def test_sigterm_cuts_off_what_one_is_doing(language, stage, inventory):
    """The request has arrived by half when the signal comes."""
    token = bearer(secret=stage.secret.read_bytes().strip())["Authorization"]
    with closing(socket.create_connection(head_of(inventory), timeout=10)) as caller:
        caller.sendall(
            b"PUT /reservations/f-1 HTTP/1.1\r\nHost: inventory\r\n"
            b"Authorization: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (token.encode(), len(ONE), ONE[:10])
        )
        until_heard(inventory)
        ended: list[int] = []
        ending = threading.Thread(target=lambda: ended.append(stage.terminate("inventory-1")))
        ending.start()
        until(lambda: is_leaving(inventory))
        answer = finish(caller)
        ending.join()
    stage.restart("inventory-1")
    assert answer.startswith({"node": b"", "python": b"HTTP/1.1 201"}[language])
    assert bool(answer) == (language == "python")


def until_heard(inventory: str) -> None:
    """Another request is answered: what was sent before it has been read."""
    fetch(f"{inventory}/health")


def is_leaving(inventory: str) -> bool:
    """The one in Python says so; the one in JavaScript is gone."""
    try:
        return fetch(f"{inventory}/ready")[0] == 503
    except OSError:
        return True


def finish(caller: socket.socket) -> bytes:
    try:
        caller.sendall(ONE[10:])
        return caller.recv(65_536)
    except OSError:
        return b""


# ---- what is typed wrong


@pytest.mark.parametrize("language", ["node"], indirect=True)
def test_what_is_missing_at_the_start_is_named(language):
    ended = subprocess.run(
        [str(NODE), str(INVENTORY), "inventory", "--listen", "http://127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert ended.stderr == "inventory.mjs cannot start: --store is missing\n"
