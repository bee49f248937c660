"""What a request may say, and what a refusal says."""

import pytest

from era0_naive import rules, shop

BAD_QUANTITIES = [0, -1, 1001, 2**63, -(2**63), True, False, 1.0, float("nan"), "2", None, [], {}]
BAD_ORDER_IDS = ["", "a/b", "../x", ".", "..", "-x", "a b", "a\n", "ä", "x" * 65, "x" * 10_000]
BAD_ORDER_IDS += [None, 7, True, ["o"], {"o": 1}, "\ud800"]
BAD_SKUS = ["", "x" * 65, "lamp\n", "\x00", "\ud800", None, 7, ["lamp"]]


@pytest.mark.parametrize("quantity", BAD_QUANTITIES, ids=repr)
def test_a_quantity_that_is_none_is_refused_by_name_value_and_what_is_accepted(stock, quantity):
    outcome = stock.reserve("o-1", "lamp", quantity)
    assert (outcome.kind, outcome.field) == ("invalid", "quantity")
    assert outcome.detail == f"quantity is {quantity!r}; accepted: a whole number from 1 to 1000"
    assert stock.reservations() == []


@pytest.mark.parametrize("order_id", BAD_ORDER_IDS, ids=rules.brief)
def test_an_order_id_that_is_none_is_refused_by_every_operation(stock, book, order_id):
    outcomes = [
        shop.place(book, stock.reserve, order_id, "lamp", 1),
        shop.cancel(book, stock.release, order_id),
        shop.show(book, order_id),
        stock.reserve(order_id, "lamp", 1),
        stock.release(order_id),
    ]
    assert {(outcome.kind, outcome.field) for outcome in outcomes} == {("invalid", "order_id")}
    assert "accepted: 1 to 64 of A-Z a-z 0-9 . _ -" in outcomes[0].detail
    assert (book.orders(), stock.reservations()) == ([], [])


@pytest.mark.parametrize("sku", BAD_SKUS, ids=rules.brief)
def test_an_sku_that_is_none_is_refused(stock, book, sku):
    outcome = shop.place(book, stock.reserve, "o-1", sku, 1)
    assert (outcome.kind, outcome.field) == ("invalid", "sku")


@pytest.mark.parametrize("order_id", ["o", "7", "O-1_b.c", "x" * 64])
def test_a_good_order_id_is_accepted(stock, order_id):
    assert stock.reserve(order_id, "lamp", 1).kind == "reserved"


@pytest.mark.parametrize("quantity", [1, 1000])
def test_the_bounds_of_a_quantity_belong_to_it(stock, quantity):
    assert stock.reserve("o-1", "lamp", quantity).kind in ("reserved", "out_of_stock")


def test_a_refusal_of_a_huge_value_fits_on_a_line():
    outcome = shop.refuse("order_id", "x" * 10_000, "less")
    assert len(outcome.detail) < 200
    assert "(10000 long)" in outcome.detail
