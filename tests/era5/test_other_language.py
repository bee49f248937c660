"""The same inventory in JavaScript and in Python, each behind a sidecar: what failed for one of
them in era 4 (tests/era4/test_other_language.py) is the same for both here.
"""

import http.client
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from era0_naive import shop
from era5_sidecar.certificates import Authority
from lab.find import ROOT
from lab.stage import Stage, Variant

NODE = shutil.which("node")
IN_JAVASCRIPT = ROOT / "era5_sidecar" / "inventory.mjs"
SHELF = {product["sku"]: product["stock"] for product in shop.catalogue()}
ONE = {"sku": "sku-0001", "quantity": 1}
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def goods(tmp_path_factory) -> Path:
    """The catalogue as a file: another language has no seeded one."""
    path = tmp_path_factory.mktemp("goods") / "catalogue.json"
    path.write_text(json.dumps(shop.catalogue()))
    return path


needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed (node >= 18)")


@pytest.fixture(scope="module", params=["python", pytest.param("node", marks=needs_node)])
def stage(request, tmp_path_factory, seed, goods) -> Iterator[Stage]:
    """One shop for all tests: each has orders and goods of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    node = Variant(argv=[str(NODE), str(IN_JAVASCRIPT)])
    cast = {"inventory-1": node} if request.param == "node" else {}
    with Stage(
        "5", seed=seed, directory=folder, catalogue=goods, instances=1, variants=cast
    ) as stage:
        reports = Authority.load(folder / "certificates").issue("reports")
        reports.write(folder / "certificates", "reports")
        Authority.new().issue("orders").write(folder / "certificates", "impostor")
        yield stage
        for role in stage.roles:
            stage.crash(role)  # asked kindly, each would see its callers off first


class Caller:
    """Somebody on the wire, with somebody's certificate or none."""

    def __init__(self, stage: Stage, name: str) -> None:
        folder = stage.directory / "certificates"
        context = ssl.create_default_context(cafile=folder / "authority.pem")
        context.check_hostname = False  # we connect to an address
        if name:
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        place = stage.address("inventory-1-sidecar").removeprefix("http://")
        self.line = http.client.HTTPSConnection(place, timeout=PATIENCE_S, context=context)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """Status and JSON of the answer. Raises OSError, HTTPException if there is none."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.line.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self.line.close()


def asked(stage: Stage, name: str, *question: object, **headers: str) -> tuple[int, dict]:
    with closing(Caller(stage, name)) as caller:
        return caller.ask(*question, **headers)


# ---- the business


def test_orders_are_placed_once_and_cancelled_for_good(stage):
    customer = stage.customer()
    assert customer.place("a-1", "sku-0001", 2)["outcome"] == "placed"
    assert customer.place("a-1", "sku-0001", 2)["outcome"] == "already_placed"
    assert customer.place("a-1", "sku-0002", 2)["outcome"] == "conflict"
    assert customer.cancel("a-1")["outcome"] == "cancelled"
    assert customer.place("a-2", "sku-9999", 1)["outcome"] == "unknown_sku"
    assert customer.place("a-3", "sku-0001", 999)["outcome"] == "out_of_stock"
    assert customer.catalogue()["products"] == shop.catalogue()


def test_kill_9_and_a_new_start_lose_nothing(stage):
    customer = stage.customer()
    customer.place("c-1", "sku-0003", SHELF["sku-0003"])
    customer.place("c-2", "sku-0004", 1)
    customer.cancel("c-2")
    stage.kill("inventory-1")
    cut_short(stage)
    stage.restart("inventory-1")
    whole = {"sku": "sku-0003", "quantity": SHELF["sku-0003"]}
    status, told = asked(stage, "orders", "PUT", "/reservations/c-1", whole)
    assert (status, told["outcome"], told["detail"]) == (200, "reserved", "repeated")
    late = asked(stage, "orders", "PUT", "/reservations/c-2", {"sku": "sku-0004", "quantity": 1})
    assert (late[0], late[1]["outcome"]) == (409, "conflict")
    assert customer.place("c-3", "sku-0003", 1)["outcome"] == "out_of_stock"


def cut_short(stage: Stage) -> None:
    """What a kill in the middle of a write leaves in a journal of lines."""
    for journal in stage.directory.glob("*.jsonl"):
        with journal.open("a") as file:
            file.write('{"op":"reserve","order_')


# ---- what era 4 gave to one language only


@pytest.mark.parametrize("name", ["", "impostor"], ids=["nobody", "another authority's orders"])
def test_a_stranger_is_turned_away(stage, name):
    question = ("PUT", f"/reservations/d-{name or 'nobody'}", ONE)
    with pytest.raises((OSError, http.client.HTTPException)):
        asked(stage, name, *question)
    assert asked(stage, "orders", *question)[0] == 201, "it was not there yet"


def test_a_service_may_do_what_it_may_and_no_more(stage):
    status, told = asked(stage, "reports", "PUT", "/reservations/d-2", ONE)
    assert (status, told["outcome"], told["certain"]) == (403, "unavailable", True)


def test_a_quota_holds(stage):
    with closing(Caller(stage, "reports")) as reports:
        statuses = {reports.ask("GET", "/catalogue")[0] for _ in range(30)}
    assert statuses == {200, 429}


def test_nothing_is_done_for_a_caller_who_has_stopped_waiting(stage):
    status, told = asked(stage, "orders", "PUT", "/reservations/e-1", ONE, X_Deadline_Ms="0")
    assert (status, told["certain"]) == (504, True)
    status, told = asked(stage, "orders", "PUT", "/reservations/e-1", ONE)
    assert (status, told["outcome"]) == (201, "reserved"), "it was not there yet"


def test_who_is_inside_when_it_is_told_to_stop_has_his_answer(stage):
    """The request has arrived by half when the signals come, to the sidecar and to the service."""
    body = json.dumps(ONE).encode()
    with closing(Caller(stage, "orders")) as caller:
        caller.line.putrequest("PUT", "/reservations/f-1")
        caller.line.putheader("Content-Length", str(len(body)))
        caller.line.endheaders(body[:10])
        asked(stage, "orders", "GET", "/catalogue")  # what was sent before this has been read
        ending = threading.Thread(target=stage.terminate, args=["inventory-1"])
        ending.start()
        caller.line.send(body[10:])
        answer = caller.line.getresponse()
        assert (answer.status, json.loads(answer.read())["outcome"]) == (201, "reserved")
        ending.join()
    stage.restart("inventory-1")


# ---- what is typed wrong


@needs_node
@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ([], "--listen is missing"),
        (["--listen", "unix:/nowhere/at/all.sock"], "listen"),
        (["--listen", "nonsense"], "Invalid URL"),
    ],
)
def test_what_is_wrong_at_the_start_is_named(goods, tmp_path, listen, told):
    files = ["--store", str(tmp_path / "stock"), "--catalogue", str(goods)]
    ended = subprocess.run(
        [str(NODE), str(IN_JAVASCRIPT), "inventory", *listen, *files],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("inventory.mjs cannot start: ")
    assert told in ended.stderr
