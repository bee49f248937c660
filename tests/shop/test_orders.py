"""An order's life: what each request comes to, also when the call to inventory goes wrong."""

from threading import Event, Thread

import pytest

from era0_naive import shop
from era0_naive.shop import Outcome, cancel, place, show, unavailable


def never_left(*request) -> Outcome:
    return unavailable("nobody there", certain=True)


def lost(*request) -> Outcome:
    return unavailable("silence", certain=False)


def answer_lost(execute):
    """The request is executed, and nobody hears of it."""

    def call(*request) -> Outcome:
        execute(*request)
        return lost()

    return call


def test_an_order_is_placed_once_however_often_it_is_sent(stock, book):
    kinds = [place(book, stock.reserve, "o-1", "lamp", 2).kind for _ in range(3)]
    assert kinds == ["placed", "already_placed", "already_placed"]
    assert stock.shelves()["lamp"] == (10, 8)


@pytest.mark.parametrize(("sku", "quantity"), [("lamp", 3), ("mug", 2)])
def test_the_same_id_with_other_content_is_a_conflict(stock, book, sku, quantity):
    place(book, stock.reserve, "o-1", "lamp", 2)
    outcome = place(book, stock.reserve, "o-1", sku, quantity)
    assert outcome.kind == "conflict"
    assert (outcome.order.sku, outcome.order.quantity) == ("lamp", 2), "as it stands in the book"


def test_what_is_not_there_is_not_sold_and_the_id_stays_free(stock, book):
    assert place(book, stock.reserve, "o-1", "mug", 4).kind == "out_of_stock"
    assert place(book, stock.reserve, "o-1", "tea", 1).kind == "unknown_sku"
    assert show(book, "o-1").kind == "not_found"
    assert place(book, stock.reserve, "o-1", "mug", 3).kind == "placed"
    assert place(book, stock.reserve, "o-2", "mug", 1).kind == "out_of_stock"


def test_a_cancelled_order_gives_its_goods_back_and_keeps_its_id(stock, book):
    place(book, stock.reserve, "o-1", "mug", 3)
    assert cancel(book, stock.release, "o-1").kind == "cancelled"
    assert cancel(book, stock.release, "o-1").kind == "cancelled", "again"
    assert show(book, "o-1").kind == "cancelled"
    assert place(book, stock.reserve, "o-1", "mug", 3).kind == "conflict"
    assert place(book, stock.reserve, "o-2", "mug", 3).kind == "placed"


def test_nobody_cancels_or_sees_what_was_never_placed(stock, book):
    assert cancel(book, stock.release, "o-1").kind == "not_found"
    assert show(book, "o-1").kind == "not_found"


def test_a_first_request_that_never_left_leaves_no_trace(stock, book):
    outcome = place(book, never_left, "o-1", "lamp", 1)
    assert (outcome.kind, outcome.certain) == ("unavailable", True)
    assert show(book, "o-1").kind == "not_found"


def test_after_an_unknown_fate_every_request_says_what_to_repeat(stock, book):
    outcome = place(book, lost, "o-1", "lamp", 1)
    assert (outcome.kind, outcome.certain) == ("unavailable", False)
    assert "place it again" in show(book, "o-1").detail
    assert "place it again" in cancel(book, stock.release, "o-1").detail
    assert place(book, stock.reserve, "o-1", "lamp", 1).kind == "placed"


def test_a_repeat_that_never_left_does_not_settle_an_unknown_fate(stock, book):
    place(book, answer_lost(stock.reserve), "o-1", "lamp", 1)
    outcome = place(book, never_left, "o-1", "lamp", 1)
    assert (outcome.kind, outcome.certain) == ("unavailable", False)
    assert show(book, "o-1").kind == "unavailable", "the goods may be reserved: not forgotten"


def test_without_deduplication_a_repeat_after_a_lost_answer_takes_the_goods_twice(stock, book):
    place(book, answer_lost(stock.reserve), "o-1", "lamp", 2)
    assert place(book, stock.reserve, "o-1", "lamp", 2).kind == "placed"
    assert stock.reserved("o-1") == [("lamp", 2), ("lamp", 2)]
    broken = shop.broken_laws(stock, book)
    assert broken == ["order o-1: placed [('lamp', 2)], reserved [('lamp', 2), ('lamp', 2)]"]


def test_a_cancellation_that_never_left_leaves_the_order_placed(stock, book):
    place(book, stock.reserve, "o-1", "lamp", 1)
    outcome = cancel(book, never_left, "o-1")
    assert (outcome.kind, outcome.certain) == ("unavailable", True)
    assert show(book, "o-1").kind == "placed"


def test_a_cancellation_of_unknown_fate_is_repeated_until_known(stock, book):
    place(book, stock.reserve, "o-1", "lamp", 1)
    assert cancel(book, answer_lost(stock.release), "o-1").certain is False
    assert "cancel it again" in show(book, "o-1").detail
    assert "cancel it again" in place(book, stock.reserve, "o-1", "lamp", 1).detail
    assert cancel(book, never_left, "o-1").certain is False, "an earlier one may have arrived"
    assert cancel(book, stock.release, "o-1").kind == "cancelled"
    assert shop.broken_laws(stock, book) == []


@pytest.mark.parametrize("answer", [{"outcome": "released"}, {"outcome": 7}, {}, [], "yes", None])
def test_an_answer_that_makes_no_sense_leaves_the_fate_unknown(book, answer):
    outcome = place(book, lambda *_: shop.read_outcome(answer), "o-1", "lamp", 1)
    assert (outcome.kind, outcome.certain) == ("unavailable", False)
    assert show(book, "o-1").kind == "unavailable"


def test_two_clerks_do_not_place_the_same_order_at_the_same_time(stock, book):
    asked, may_answer = Event(), Event()
    told: list[str] = []

    def slow_reserve(*request) -> Outcome:
        asked.set()
        may_answer.wait()
        return stock.reserve(*request)

    def clerk() -> None:
        told.append(place(book, slow_reserve, "o-1", "lamp", 1).kind)

    first, second = Thread(target=clerk), Thread(target=clerk)
    first.start()
    asked.wait()
    second.start()
    assert place(book, stock.reserve, "o-2", "lamp", 1).kind == "placed", "others need not wait"
    may_answer.set()
    first.join()
    second.join()
    assert sorted(told) == ["already_placed", "placed"]
    assert stock.reserved("o-1") == [("lamp", 1)]


def test_two_services_may_share_a_book(stock, book, tmp_path):
    other = shop.Book(tmp_path / "book.db")

    def meanwhile_at_the_other(*request) -> Outcome:
        assert place(other, stock.reserve, *request).kind == "placed"
        return never_left()

    outcome = place(book, meanwhile_at_the_other, "o-1", "lamp", 1)
    assert (outcome.kind, outcome.certain) == ("unavailable", False), "it is placed, after all"
    assert show(book, "o-1").kind == "placed"

    def meanwhile_struck_out(*request) -> Outcome:
        assert other.strike_out("o-2")
        return stock.reserve(*request)

    assert place(book, meanwhile_struck_out, "o-2", "lamp", 1).kind == "placed"
    assert show(other, "o-2").kind == "placed"
    assert shop.broken_laws(stock, book) == []
    other.close()


def refused_after_silence(*request) -> Outcome:
    """Two attempts in one call: the first is still under way, the second found an empty shelf."""
    return Outcome("out_of_stock", "none left", certain=False)


@pytest.mark.parametrize("silence_was", ["in this call", "in an earlier one"])
def test_what_was_refused_in_doubt_cannot_be_reserved_any_more(stock, book, silence_was):
    reserve = refused_after_silence
    if silence_was == "in an earlier one":
        place(book, lost, "o-1", "mug", 4)
        reserve = stock.reserve
    outcome = place(book, reserve, "o-1", "mug", 4, stock.release)
    assert (outcome.kind, outcome.certain) == ("out_of_stock", None)
    assert show(book, "o-1").kind == "not_found"
    assert stock.was_released("o-1"), "inventory turns away what arrives late"


def test_a_refusal_in_doubt_takes_back_what_was_reserved(stock, book):
    stock.reserve("o-1", "mug", 2)  # an attempt that nobody heard of
    place(book, refused_after_silence, "o-1", "mug", 2, stock.release)
    assert stock.shelves()["mug"] == (3, 3)


def test_until_the_goods_are_back_nobody_is_refused_and_nothing_is_reserved(stock, book):
    place(book, refused_after_silence, "o-1", "mug", 2, lost)
    assert "place it again" in show(book, "o-1").detail
    assert "place it again" in cancel(book, stock.release, "o-1").detail
    assert place(book, stock.reserve, "o-1", "mug", 2, lost).kind == "unavailable"
    assert stock.reserved("o-1") == [], "a release that is still under way would take it back"
    assert place(book, stock.reserve, "o-1", "mug", 2, stock.release).kind == "out_of_stock"
    assert show(book, "o-1").kind == "not_found"


def test_the_id_of_an_order_refused_in_doubt_is_used_up(stock, book):
    place(book, refused_after_silence, "o-1", "mug", 2, stock.release)
    late = Outcome("conflict", "order o-1 was released")  # as an inventory that remembers says
    assert place(book, lambda *order: late, "o-1", "mug", 2, stock.release).kind == "conflict"
    assert show(book, "o-1").kind == "not_found"
