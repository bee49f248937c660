"""The services as processes: started, stopped, killed, asked nonsense, started wrongly."""

import importlib.util
import signal
import socket
import subprocess
import sys

import pytest

from era0_naive import role, shop
from tests.shop import roles
from tests.shop.roles import ERAS, LISTEN, ask, both, order

pytestmark = pytest.mark.parametrize("era", ERAS)


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("r")  # short: a Unix socket's path ends at 107 bytes


def test_an_order_is_placed_shown_and_cancelled(era, folder):
    with both(era, folder):
        asked = [order("o-1", 2), order("o-1", 2), order("o-1", 3), order("o-2", 1, "tea")]
        asked += [order("o-3", 1000)]
        asked += [{"op": op, "order_id": "o-1"} for op in ("show", "cancel", "show")]
        told = [ask(folder, operation)["outcome"] for operation in asked]
        refused = ["already_placed", "conflict", "unknown_sku", "out_of_stock"]
        assert told == ["placed", *refused, "placed", "cancelled", "cancelled"]
        assert ask(folder, {"op": "catalogue"})["products"] == shop.catalogue()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_roles_stop_quietly_and_take_their_counter_away(era, folder, number):
    with both(era, folder) as (inventory, desk, _):
        ask(folder, order("o-1"))
        for process in (desk, inventory):
            process.send_signal(number)
            assert process.communicate(timeout=10)[1] == ""
            assert process.returncode == 0
    assert not (folder / "c").exists()


def test_what_was_accepted_is_there_after_kill_9_of_both(era, folder):
    with both(era, folder) as (inventory, desk, _):
        ask(folder, order("o-1", 3))
        desk.kill()
        inventory.kill()
    assert (folder / "c").is_socket(), "left behind, and in nobody's way:"
    with both(era, folder):
        assert ask(folder, order("o-1", 3))["outcome"] == "already_placed"
    stock, book = shop.Stock(folder / "stock.db"), shop.Book(folder / "book.db")
    assert shop.broken_laws(stock, book) == []


NONSENSE = [
    "",
    "hello",
    "{",
    "[" * 5_000,
    "null",
    "[]",
    '"place"',
    "7" * 5_000,
    "{}",
    '{"op": "destroy"}',
    '{"op": ["place"]}',
    '{"op": "place"}',
    '{"op": "cancel"}',
    '{"op": "place", "order_id": "o-1", "sku": "sku-0001", "quantity": NaN}',
    '{"op": "place", "order_id": "o-1", "sku": "sku-0001", "quantity": 1e999}',
    '{"op": "place", "order_id": "o-1", "sku": "\\ud800", "quantity": 1}',
]
BAD_FIELDS = [order("o-1", quantity) for quantity in (0, -1, 2**63, True, "1", 1.0, None, [1])]
BAD_FIELDS += [order(bad) for bad in ("a/b", "..", "x" * 10_000, "", "a\nb")]
BAD_FIELDS += [order("o-1", 1, sku) for sku in ("", "x" * 10_000, 7, None)]
BAD_FIELDS += [{"op": op, "order_id": bad} for op in ("cancel", "show") for bad in ("a/b", None, 7)]


def test_nonsense_at_the_counter_is_refused_by_value_and_the_next_customer_served(era, folder):
    with both(era, folder):
        for operation in NONSENSE + BAD_FIELDS:
            told = ask(folder, operation)
            assert told["outcome"] == "invalid", operation
            assert "accepted: " in told["detail"], operation
            assert len(told["detail"]) < 300, operation
        assert ask(folder, order("o-1"))["outcome"] == "placed"
    stock, book = shop.Stock(folder / "stock.db"), shop.Book(folder / "book.db")
    assert stock.reservations() == [("o-1", "sku-0001", 1)]
    assert shop.broken_laws(stock, book) == []


BAD_REQUESTS = [{}, {"op": "place"}, {"op": None}, {"op": ["reserve"]}, {"op": "release"}]
BAD_REQUESTS += [{"op": "release", "order_id": bad} for bad in ("a/b", "x" * 10_000, 7, None)]
BAD_REQUESTS += [asked | {"op": "reserve"} for asked in BAD_FIELDS if asked["op"] == "place"]


def test_nonsense_at_inventory_is_refused_by_value_and_reserves_nothing(era, folder):
    with roles.inventory(era, folder) as (_, address):
        caller = importlib.import_module(f"{era}.transport").Caller(address)
        for request in BAD_REQUESTS:
            told = caller.call(request)
            assert told["outcome"] == "invalid", request
            assert "accepted: " in told["detail"], request
        assert caller.call({"op": "release", "order_id": "o-1"}) == {"outcome": "released"}
        caller.close()
    stock = shop.Stock(folder / "stock.db")
    assert stock.reservations() == []


def test_a_line_without_end_is_refused_and_hurts_nobody(era, folder):
    with both(era, folder), socket.socket(socket.AF_UNIX) as customer:
        customer.connect(str(folder / "c"))
        customer.settimeout(10)
        customer.sendall(b"x" * 65_537)
        told = customer.makefile("rb").read()
        assert b"accepted: at most 65536 bytes" in told
        assert ask(folder, order("o-1"))["outcome"] == "placed"


def test_a_customer_may_leave_at_any_moment(era, folder):
    with both(era, folder):
        for said in (b"", b'{"op": "pl', b'{"op": "catalogue"}\n' * 5):
            with socket.socket(socket.AF_UNIX) as customer:
                customer.connect(str(folder / "c"))
                customer.sendall(said)
        assert ask(folder, order("o-1"))["outcome"] == "placed"


def test_an_address_that_is_none_is_refused(era, folder):
    for address in ("nonsense", "gopher://127.0.0.1:1", "127.0.0.1:7000", LISTEN[era] + "x", ""):
        told = roles.refused(era, "inventory", "--listen", address, "--store", folder / "s")
        assert repr(address) in told and "accepted" in told
        desk = ["--store", folder / "b", "--counter", folder / "c"]
        told = roles.refused(era, "orders", "--inventory", address, *desk)
        assert repr(address) in told and "accepted" in told


def test_a_host_that_can_have_no_address_is_refused(era, folder):
    for name in ("a" * 70, "a..b", "."):
        address = LISTEN[era].replace("127.0.0.1:0", f"{name}:7000")
        told = roles.refused(era, "inventory", "--listen", address, "--store", folder / "s")
        assert address in told
        desk = ["--store", folder / "b", "--counter", folder / "c"]
        assert address in roles.refused(era, "orders", "--inventory", address, *desk)


def test_a_port_in_use_is_named(era, folder):
    with roles.inventory(era, folder) as (_, address):
        told = roles.refused(era, "inventory", "--listen", address, "--store", folder / "s")
        assert address in told
        assert "in use" in told


def test_a_catalogue_that_is_missing_or_corrupt_loses_nothing(era, folder):
    with both(era, folder):
        ask(folder, order("o-1", 2))
    bad = folder / "goods.json"
    listen = ["inventory", "--listen", LISTEN[era], "--store", folder / "stock.db"]
    assert "goods.json cannot be read" in roles.refused(era, *listen, "--catalogue", bad)
    bad.write_text('[{"sku": "sku-0001", "stock": 1')
    assert "goods.json is not JSON" in roles.refused(era, *listen, "--catalogue", bad)
    bad.write_text('[{"sku": "sku-0001"}]')
    assert "product 0: name is None" in roles.refused(era, *listen, "--catalogue", bad)
    with both(era, folder):
        assert ask(folder, order("o-1", 2))["outcome"] == "already_placed"


def test_a_store_that_cannot_be_used_is_named(era, folder):
    (folder / "diary").write_text("Dear diary, " * 100)
    for store in (folder / "nowhere" / "s", folder, folder / "diary"):
        told = roles.refused(era, "inventory", "--listen", LISTEN[era], "--store", store)
        assert f"store {store}: " in told
        desk = ["--inventory", LISTEN[era][:-1] + "9", "--counter", folder / "c"]
        assert f"store {store}: " in roles.refused(era, "orders", *desk, "--store", store)


def test_a_counter_that_cannot_be_used_is_named_and_left_alone(era, folder):
    (folder / "letter").write_text("keep me")
    desk = ["orders", "--inventory", LISTEN[era][:-1] + "9", "--store", folder / "b"]
    for path in (folder / "letter", folder / "nowhere" / "c", folder / ("x" * 120)):
        told = roles.refused(era, *desk, "--counter", path)
        assert f"counter '{path}'" in told and "accepted: a new path" in told
    assert (folder / "letter").read_text() == "keep me"


def test_two_shops_cannot_have_the_same_counter(era, folder):
    with both(era, folder) as (_, _, address):
        desk = ["--store", folder / "b", "--counter", folder / "c"]
        told = roles.refused(era, "orders", "--inventory", address, *desk)
        assert "in use" in told
        assert ask(folder, order("o-1"))["outcome"] == "placed", "the first one serves on"


def test_before_http_there_are_the_same_three_roles_and_they_know_no_registry(era, folder):
    def told(*typed: str) -> str:
        command = [sys.executable, "-m", era, *typed, "--help"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return " ".join(run.stdout.split())

    assert "ROLE inventory owns the stock orders takes orders from customers customer" in told()
    stated = "[-h] --listen URL --store FILE [--catalogue FILE]"
    assert f"usage: python -m {era} inventory {stated} options" in told("inventory")
    stated = "[-h] --inventory URL --store FILE --counter PATH"
    assert f"usage: python -m {era} orders {stated} options" in told("orders")


def test_a_role_imports_nothing_that_is_slow_to_start(era, folder):
    code = f"import sys, {era}.__main__, {era}.orders, {era}.inventory; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"rich", "scapy", "asyncio", "http", "lab.stage"}
    assert slow.isdisjoint(run.stdout.split())


def test_without_a_lab_to_play_its_story_the_era_tells_its_readme(era, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(signal, "signal", lambda number, action: None)  # pytest keeps its own
    role.run(era, [])
    assert f"# Era {era[3]}: " in capsys.readouterr().out
