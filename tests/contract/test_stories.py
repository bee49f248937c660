"""The shop's stories, told to every era over every form of the wire.

Each story uses order ids of its own (`twins.fresh`) and gives back what it took, so that one
launched shop serves them all, and a shop behind `--url` can be asked again and again.
"""

import json
import threading
import time

import pytest

from tests.contract.strategies import (
    BAD_IDS,
    BAD_IDS_UNSAID_IN_HTTP,
    BAD_QUANTITIES,
    BAD_SKUS,
    NOT_OPERATIONS,
)

REPEATS_FOR_S, REPEATS_AFTER_S = 20.0, 0.05


def test_an_order_is_placed_and_shown(twins, fresh, sku):
    order_id = fresh("o")
    assert twins.place(order_id, sku, 2)["outcome"] == "placed"
    shown = twins.show(order_id)
    assert shown["outcome"] == "placed"
    assert (shown["order"]["sku"], shown["order"]["quantity"]) == (sku, 2)
    twins.cancel(order_id)


def test_the_same_order_again_is_already_placed(twins, fresh, sku):
    order_id = fresh("o")
    twins.place(order_id, sku, 3)
    for _ in range(3):
        assert twins.place(order_id, sku, 3)["outcome"] == "already_placed"
    twins.cancel(order_id)


def test_another_content_under_the_same_id_is_a_conflict(twins, fresh, sku, other_sku):
    order_id = fresh("o")
    twins.place(order_id, sku, 3)
    assert twins.place(order_id, sku, 4)["outcome"] == "conflict"
    assert twins.place(order_id, other_sku, 3)["outcome"] == "conflict"
    assert twins.show(order_id)["order"]["quantity"] == 3
    twins.cancel(order_id)


def test_a_cancelled_id_is_used_up(twins, fresh, sku):
    order_id = fresh("o")
    twins.place(order_id, sku, 3)
    assert twins.cancel(order_id)["outcome"] == "cancelled"
    assert twins.cancel(order_id)["outcome"] == "cancelled"
    assert twins.show(order_id)["outcome"] == "cancelled"
    assert twins.place(order_id, sku, 3)["outcome"] == "conflict"


def test_what_is_not_there_is_not_found(twins, fresh):
    assert twins.show(fresh("never"))["outcome"] == "not_found"
    assert twins.cancel(fresh("never"))["outcome"] == "not_found"


def test_an_empty_shelf_refuses_and_a_cancelled_order_fills_it(twins, fresh, scarce):
    sku, stock = scarce
    most, few = fresh("most"), fresh("few")
    assert twins.place(most, sku, stock - 1)["outcome"] == "placed"
    assert twins.place(few, sku, 2)["outcome"] == "out_of_stock"
    assert twins.show(few)["outcome"] == "not_found"
    assert twins.place(few, sku, 1)["outcome"] == "placed"
    assert twins.place(fresh("none"), sku, 1)["outcome"] == "out_of_stock"
    twins.cancel(most)
    assert twins.place(fresh("again"), sku, stock - 1)["outcome"] == "placed"
    twins.cancel(few)
    twins.cancel(fresh("again"))


def test_a_refused_id_may_be_used_for_another_order(twins, fresh, sku, scarce):
    order_id = fresh("o")
    assert twins.place(order_id, scarce[0], scarce[1] + 1)["outcome"] == "out_of_stock"
    assert twins.place(order_id, sku, 1)["outcome"] == "placed"
    twins.cancel(order_id)


def test_goods_that_nobody_sells_are_unknown(twins, fresh):
    for name in ("sku-none", "SKU-0001", "sku-0001 ", "'; DROP TABLE stock; --"):
        order_id = fresh("o")
        assert twins.place(order_id, name, 1)["outcome"] == "unknown_sku"
        assert twins.show(order_id)["outcome"] == "not_found"


@pytest.mark.parametrize("quantity", BAD_QUANTITIES, ids=repr)
def test_a_quantity_that_is_none_is_invalid(twins, fresh, sku, quantity):
    answer = twins.place(fresh("o"), sku, quantity)
    assert (answer["outcome"], answer["field"]) == ("invalid", "quantity")


@pytest.mark.parametrize("order_id", BAD_IDS, ids=lambda text: repr(text[:8]))
def test_an_id_that_is_none_is_invalid(twins, sku, order_id):
    for answer in (twins.place(order_id, sku, 1), twins.show(order_id), twins.cancel(order_id)):
        assert (answer["outcome"], answer["field"]) == ("invalid", "order_id")


def test_the_largest_accepted_values_are_accepted(twins, fresh, sku):
    longest = fresh("x").ljust(64, "x")
    assert twins.place(longest, sku, 1)["outcome"] == "placed"
    assert twins.place(fresh("o"), sku, 1000)["outcome"] in ("placed", "out_of_stock")
    twins.cancel(longest)
    twins.cancel(fresh("o"))


def test_what_is_wrong_is_said_with_the_value_and_what_is_accepted(twins, fresh, sku):
    detail = twins.customer.place(fresh("o"), sku, -17)["detail"]
    assert "-17" in detail
    assert "1000" in detail


def test_a_sku_that_is_none_is_invalid(twins, fresh):
    for sku in BAD_SKUS:
        answer = twins.place(fresh("o"), sku, 1)
        assert (answer["outcome"], answer["field"]) == ("invalid", "sku")


@pytest.mark.counter
@pytest.mark.parametrize("line", NOT_OPERATIONS, ids=lambda line: repr(line[:40]))
def test_what_is_no_operation_is_invalid_and_harms_nobody(twins, fresh, sku, line):
    assert twins.ask(line)["outcome"] == "invalid"
    order_id = fresh(f"after-{NOT_OPERATIONS.index(line)}")
    assert twins.place(order_id, sku, 1)["outcome"] == "placed"
    twins.cancel(order_id)


@pytest.mark.counter
def test_an_id_that_is_no_text_is_invalid(twins, sku):
    for order_id in BAD_IDS_UNSAID_IN_HTTP:
        for answer in (twins.place(order_id, sku, 1), twins.show(order_id)):
            assert (answer["outcome"], answer["field"]) == ("invalid", "order_id")


def test_the_catalogue_arrives_whole(twins, catalogue):
    answer = twins.customer.catalogue()
    assert answer["outcome"] == "catalogue"
    assert canonical(answer["products"]) == canonical(catalogue)
    assert len(canonical(catalogue)) >= 300_000, "long enough to need a window"


def canonical(products) -> bytes:
    return json.dumps(products, sort_keys=True).encode()


def test_many_customers_at_once_sell_each_piece_once(
    twins, fresh, scarce, new_customer, speaks_http
):
    """Twelve customers want a third of a shelf each: three get it, whoever they are."""
    sku, stock = scarce
    third = stock // 3
    orders = [fresh(f"crowd-{n}") for n in range(12)]

    def place(customer, order: str) -> dict:
        until = time.monotonic() + REPEATS_FOR_S
        answer = customer.place(order, sku, third)
        # who sheds on a slow machine has kept his word: from era 3 on the same request is repeated
        while speaks_http and answer["outcome"] == "unavailable" and time.monotonic() < until:
            time.sleep(REPEATS_AFTER_S)
            answer = customer.place(order, sku, third)
        return answer

    outcomes = at_once(orders, place, new_customer)
    placed = [order for order, answer in outcomes.items() if answer["outcome"] == "placed"]
    refused = [order for order, answer in outcomes.items() if answer["outcome"] == "out_of_stock"]
    assert (len(placed), len(refused)) == (3, 9), outcomes
    for order in placed:
        twins.oracle.place(order, sku, third)  # the oracle hears who was first
    for order in orders:
        twins.show(order)
    cancelled = at_once(placed, lambda guest, order: guest.cancel(order), new_customer)
    assert {answer["outcome"] for answer in cancelled.values()} == {"cancelled"}
    for order in placed:
        twins.cancel(order)


def at_once(orders, ask, new_customer) -> dict:
    """Every order by a customer of its own, all in the same moment."""
    outcomes: dict[str, dict] = {}
    start = threading.Barrier(len(orders))

    def one(order: str) -> None:
        customer = new_customer()
        start.wait(timeout=10)
        outcomes[order] = ask(customer, order)
        customer.close()

    threads = [threading.Thread(target=one, args=[order]) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert outcomes.keys() == set(orders), f"no answer for {set(orders) - outcomes.keys()}"
    return outcomes
