"""What a datagram and total trust come to: each test is one belief and what it costs."""

import json
import socket
import sys
from pathlib import Path
from threading import Thread

import pytest

from era0_naive import shop
from era0_naive.inventory import PAGE_BYTES, Inventory, cut
from era0_naive.orders import Orders
from era0_naive.transport import SO_NO_CHECK, Caller
from tests.shop import roles

HANGS_S = 0.4  # a call on loopback takes less than a thousandth of it


@pytest.fixture
def peer():
    """Whoever orders believes to be inventory: a socket in the hands of the test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(10)
        yield opened


@pytest.fixture
def caller(peer):
    opened = Caller(f"udp://127.0.0.1:{peer.getsockname()[1]}")
    yield opened
    opened.close()


def asking(caller: Caller, request: dict, told: list) -> Thread:
    thread = Thread(target=lambda: told.append(caller.call(request)), daemon=True)
    thread.start()
    return thread


def answer(peer: socket.socket, *answers: dict) -> tuple:
    """Takes one question, sends these answers; returns who asked."""
    _, orders = peer.recvfrom(65_535)
    for told in answers:
        peer.sendto(json.dumps(told).encode(), orders)
    return orders


def test_a_lost_answer_hangs_era_0_and_everybody_behind(peer, caller):
    told: list = []
    first = asking(caller, {"op": "reserve", "order_id": "o-1"}, told)
    _, orders = peer.recvfrom(65_535)  # and the answer is lost
    second = asking(caller, {"op": "reserve", "order_id": "o-2"}, told)
    first.join(HANGS_S)
    assert first.is_alive() and second.is_alive() and told == []
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(65_535)  # o-2 was not even sent

    peer.setblocking(True)
    peer.sendto(b'{"outcome": "reserved"}', orders)
    first.join(10)
    answer(peer, {"outcome": "out_of_stock"})
    second.join(10)
    assert [each["outcome"] for each in told] == ["reserved", "out_of_stock"]


def test_a_doubled_answer_is_taken_for_the_answer_to_the_next_question(peer, caller, tmp_path):
    desk = Orders(shop.Book(tmp_path / "book.db"), caller)
    helper = Thread(target=lambda: answer(peer, {"outcome": "reserved"}, {"outcome": "reserved"}))
    helper.start()
    assert desk.place("o-1", "lamp", 1).kind == "placed"
    helper.join()
    assert desk.place("o-2", "lamp", 1).kind == "placed", "inventory has not yet heard of o-2"
    assert b"o-2" in peer.recv(65_535)


def test_a_stranger_is_believed(peer, caller):
    told: list = []
    thread = asking(caller, {"op": "reserve", "order_id": "o-1"}, told)
    _, orders = peer.recvfrom(65_535)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b'{"outcome": "reserved"}', orders)
    thread.join(10)
    assert told == [{"outcome": "reserved"}]


@pytest.mark.parametrize(
    "damaged", [b'{"outcome": "res', b'{"outcome": "qeserved"}', b"\xff", b"[]"]
)
def test_a_damaged_answer_leaves_the_fate_unknown_at_best(peer, caller, tmp_path, damaged):
    desk = Orders(shop.Book(tmp_path / "book.db"), caller)
    helper = Thread(target=lambda: peer.sendto(damaged, peer.recvfrom(65_535)[1]))
    helper.start()
    message = json.dumps(roles.order("o-1")).encode()
    told = json.loads(shop.respond(message, lambda asked: desk.place("o-1", "lamp", 1).message()))
    helper.join()
    assert (told["outcome"], told["certain"]) == ("unavailable", False)
    assert desk.show("o-1").kind == "unavailable"


@pytest.mark.skipif(sys.platform != "linux", reason="SO_NO_CHECK is Linux's")
def test_not_even_the_kernel_checks_what_arrives(caller):
    assert caller._socket.getsockopt(socket.SOL_SOCKET, SO_NO_CHECK) == 1


def test_a_doubled_question_takes_the_goods_twice(tmp_path: Path):
    with roles.inventory("era0_naive", tmp_path) as (_, address):
        inventory = Caller(address)
        request = {"op": "reserve", "order_id": "o-1", "sku": "sku-0001", "quantity": 2}
        assert [inventory.call(request)["outcome"] for _ in range(2)] == ["reserved", "reserved"]
        inventory.close()
    assert shop.Stock(tmp_path / "stock.db").reserved("o-1") == [("sku-0001", 2)] * 2


MALFORMED = [b"", b"\x00", b"hello", b"{", b"\xff\xfe", b"[" * 5_000, b"null", b"[]", b"x" * 60_000]
MALFORMED += [json.dumps(request).encode() for request in (
    {},
    {"op": "place"},
    {"op": 7},
    {"op": "release"},
    {"op": "release", "order_id": "a/b"},
    {"op": "catalogue"},
    {"op": "catalogue", "page": -1},
    {"op": "catalogue", "page": True},
    {"op": "reserve", "order_id": "x" * 10_000, "sku": "sku-0001", "quantity": 1},
    *({"op": "reserve", "order_id": "o", "sku": "sku-0001", "quantity": q} for q in (0, -1, 2**63)),
)]  # fmt: skip


def test_malformed_datagrams_are_refused_one_by_one_and_reserve_nothing(tmp_path: Path):
    with (
        roles.inventory("era0_naive", tmp_path) as (_, address),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        stranger.settimeout(10)
        for datagram in MALFORMED:
            stranger.sendto(datagram, ("127.0.0.1", int(address.rpartition(":")[2])))
            told = json.loads(stranger.recv(65_535))
            assert told["outcome"] == "invalid", datagram[:60]
            assert "accepted: " in told["detail"], datagram[:60]
    stock = shop.Stock(tmp_path / "stock.db")
    assert stock.reservations() == []


def test_every_page_fits_into_a_datagram_and_none_is_missing(tmp_path: Path):
    products = shop.catalogue()
    inventory = Inventory(shop.Stock(tmp_path / "stock.db"), products)
    numbers = range(len(cut(products)))
    pages = [inventory.answer({"op": "catalogue", "page": number}) for number in numbers]
    assert max(len(json.dumps(page)) for page in pages) <= PAGE_BYTES + 100
    assert [product for page in pages for product in page["products"]] == products
    assert "products" not in inventory.answer({"op": "catalogue", "page": len(pages)})


def test_the_longest_products_fit_into_a_datagram_too():
    longest = "\U0001f375" * 2_000  # 12 bytes each in JSON's ASCII
    product = {"sku": "\U0001f375" * 64, "name": longest, "description": longest}
    pages = cut([product | {"price_cents": 1, "stock": 1}] * 3)
    assert [len(page) for page in pages] == [1, 1, 1]
    assert len(json.dumps({"outcome": "catalogue", "products": pages[0]})) < 65_507
