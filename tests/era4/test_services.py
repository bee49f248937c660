"""The two services without their processes: what is left of them is business."""

import threading
from contextlib import contextmanager

import pytest

from era0_naive import shop
from era4_framework.errors import DeadlinePassed, NoInstance, Timeout
from era4_framework.inventory import CONFIG, Inventory
from era4_framework.inventory import operations as of_inventory
from era4_framework.orders import Orders
from era4_framework.orders import operations as of_orders
from era4_framework.policies.deadline import Deadline
from era4_framework.service import Request, Response, serving_until

SKU = "sku-0001"
SHELF = shop.catalogue()[0]["stock"]


@pytest.fixture
def stock(tmp_path):
    stock = shop.Stock(tmp_path / "stock.db", shop.catalogue())
    yield stock
    stock.close()


@pytest.fixture
def inventory(stock) -> Inventory:
    return Inventory(stock, shop.catalogue())


# ---- inventory: the line that never leaves


def test_the_same_reservation_again_takes_nothing(inventory, stock):
    assert inventory.reserve("o-1", SKU, 2) == shop.Outcome("reserved")
    assert inventory.reserve("o-1", SKU, 2) == shop.Outcome("reserved", "repeated")
    assert stock.reserved("o-1") == [(SKU, 2)]


def test_the_same_id_with_other_content_is_a_conflict(inventory, stock):
    inventory.reserve("o-1", SKU, 2)
    assert inventory.reserve("o-1", SKU, 3).kind == "conflict"
    assert inventory.reserve("o-1", "sku-0002", 2).kind == "conflict"
    assert stock.reserved("o-1") == [(SKU, 2)]


def test_what_was_released_stays_released_whatever_still_arrives(inventory, stock):
    """Also if the release came first: the reservation is somewhere on its way."""
    inventory.release("o-1")
    assert inventory.reserve("o-1", SKU, 2).kind == "conflict"
    inventory.reserve("o-2", SKU, 2)
    inventory.release("o-2")
    assert inventory.reserve("o-2", SKU, 2).kind == "conflict"
    assert stock.shelves()[SKU] == (SHELF, SHELF)


def test_twenty_at_once_reserve_once(inventory, stock):
    found: list[str] = []

    def ask() -> None:
        found.append(inventory.reserve("o-1", SKU, 2).detail)

    crowd = [threading.Thread(target=ask) for _ in range(20)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(found) == [""] + ["repeated"] * 19
    assert stock.reserved("o-1") == [(SKU, 2)]


def test_a_caller_who_has_gone_while_the_store_was_held_gets_nothing(inventory, stock):
    before = serving_until.set(Deadline.after(0.0, 0.001))  # long ago
    try:
        with pytest.raises(DeadlinePassed):
            inventory.reserve("o-1", SKU, 2)
    finally:
        serving_until.reset(before)
    assert stock.reserved("o-1") == []


@pytest.mark.parametrize(
    ("order_id", "sku", "quantity", "field"),
    [("", SKU, 1, "order_id"), ("o-1", None, 1, "sku"), ("o-1", SKU, True, "quantity")],
)
def test_what_cannot_be_an_order_is_invalid(inventory, order_id, sku, quantity, field):
    refused = inventory.reserve(order_id, sku, quantity)
    assert (refused.kind, refused.field) == ("invalid", field)


def test_every_operation_has_its_callers(inventory):
    assert {each.name for each in of_inventory(inventory)} == set(CONFIG.may)


# ---- orders


@contextmanager
def orders_before(tmp_path, answer):
    """Orders, whose inventory is a function."""
    asked: list[Request] = []

    def inventory(request: Request) -> Response:
        asked.append(request)
        return answer(request)

    book = shop.Book(tmp_path / "book.db")
    try:
        yield Orders(book, inventory), asked
    finally:
        book.close()


def _raise(error: Exception):
    def answer(request: Request) -> Response:
        raise error

    return answer


def test_an_order_is_a_reservation_under_the_orders_id(tmp_path):
    reserved = Response(201, {"outcome": "reserved"})
    with orders_before(tmp_path, lambda _: reserved) as (orders, asked):
        assert orders.place("o-1", SKU, 2).kind == "placed"
        assert orders.place("o-1", SKU, 2).kind == "already_placed"
    (request,) = asked
    assert (request.method, request.path, request.key) == ("PUT", "/reservations/o-1", "o-1")
    assert request.body == b'{"sku": "sku-0001", "quantity": 2}'


@pytest.mark.parametrize(
    ("error", "certain"), [(NoInstance("nobody is there"), True), (Timeout("silent"), False)]
)
def test_the_two_families_of_errors_are_all_that_orders_knows_of_the_network(
    tmp_path, error, certain
):
    with orders_before(tmp_path, _raise(error)) as (orders, _):
        outcome = orders.place("o-1", SKU, 2)
        assert (outcome.kind, outcome.certain) == ("unavailable", certain)
        assert str(error) in outcome.detail
        assert orders.show("o-1").kind == ("not_found" if certain else "unavailable")


def test_a_refusal_after_a_lost_attempt_is_taken_back_before_it_is_told(tmp_path):
    """The lost attempt may still reserve: the release forbids it, and only then is it certain."""
    empty = Response(409, {"outcome": "out_of_stock"}, is_sure=False)
    answers = {"reserve": empty, "release": Response(200, {"outcome": "released"})}
    with orders_before(tmp_path, lambda request: answers[request.op]) as (orders, asked):
        assert orders.place("o-1", SKU, 2).kind == "out_of_stock"
    assert [request.op for request in asked] == ["reserve", "release"]


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid"), (404, "unknown_sku")])
def test_a_refusal_that_cannot_be_after_a_lost_attempt_is_not_believed(tmp_path, status, kind):
    told = Response(status, {"outcome": kind}, is_sure=False)
    with orders_before(tmp_path, lambda _: told) as (orders, _):
        outcome = orders.place("o-1", SKU, 2)
        assert (outcome.kind, outcome.certain) == ("unavailable", False)
        assert orders.show("o-1").kind == "unavailable", "the lost attempt may have reserved"
        assert orders.place("o-1", SKU, 2).certain is False


def test_a_refusal_of_a_first_attempt_is_simply_told(tmp_path):
    empty = Response(409, {"outcome": "out_of_stock"})
    with orders_before(tmp_path, lambda _: empty) as (orders, asked):
        assert orders.place("o-1", SKU, 2).kind == "out_of_stock"
        assert [request.op for request in asked] == ["reserve"]


def test_customers_can_ask_for_four_things(tmp_path):
    with orders_before(tmp_path, _raise(NoInstance(""))) as (orders, _):
        names = [each.name for each in of_orders(orders)]
    assert names == ["place", "cancel", "show", "catalogue"]
