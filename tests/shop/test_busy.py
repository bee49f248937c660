"""A store that another process holds: who waits too long is told, and has changed nothing."""

import signal
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from era0_naive import role, shop, sqlite_file

GOODS = [{"sku": "lamp", "stock": 10}]
PATIENCE_S = 0.05


@pytest.fixture
def impatient(tmp_path):
    opened = shop.Stock(tmp_path / "stock.db", GOODS, busy_timeout_s=PATIENCE_S)
    yield opened
    opened.close()


@contextmanager
def held_by_somebody(path):
    """As by another instance in the middle of its transaction."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


class Failing:
    """A connection to SQLite on which nothing succeeds."""

    in_transaction = False

    def __init__(self, said, code):
        self._error = sqlite3.OperationalError(said)
        self._error.sqlite_errorcode = code

    def execute(self, sql):
        if sql.startswith("BEGIN"):
            raise self._error


def seen(stock):
    return stock.shelves(), stock.reservations(), stock.was_released("o-1")


def test_whoever_waits_too_long_is_told_and_nothing_was_written(impatient, tmp_path):
    assert impatient.reserve("o-1", "lamp", 2).kind == "reserved"
    before = seen(impatient)
    with held_by_somebody(tmp_path / "stock.db"):
        with pytest.raises(shop.Busy, match=r"stock\.db was locked for 0\.05 s"):
            impatient.reserve("o-2", "lamp", 1)
        with pytest.raises(shop.Busy):
            impatient.release("o-1")
        with pytest.raises(shop.Busy), impatient.transaction():
            pytest.fail("entered")
        assert seen(impatient) == before, "and reading need not wait"
    assert seen(impatient) == before
    assert impatient.reserve("o-2", "lamp", 1).kind == "reserved", "as soon as it is let go"


def test_whoever_is_let_in_in_time_is_not_told_at_all(stock, tmp_path):
    with held_by_somebody(tmp_path / "stock.db") as other:
        told = []
        clerk = threading.Thread(target=lambda: told.append(stock.reserve("o-1", "lamp", 1).kind))
        clerk.start()
        clerk.join(PATIENCE_S)
        assert told == [], "it waits"
        other.execute("COMMIT")
        clerk.join()
    assert told == ["reserved"]


def test_an_instance_that_starts_waits_however_impatient_it_will_be(tmp_path):
    path = tmp_path / "stock.db"
    shop.Stock(path, GOODS).close()
    with held_by_somebody(path) as other:
        letting_go = threading.Timer(4 * PATIENCE_S, other.execute, ["COMMIT"])
        letting_go.start()
        started = shop.Stock(path, GOODS, busy_timeout_s=PATIENCE_S)
        letting_go.join()
    assert started.reserve("o-1", "lamp", 1).kind == "reserved"
    started.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_store_that_is_held_for_too_long_ends_the_start_with_one_line(
    tmp_path, monkeypatch, capsys, is_new
):
    path = tmp_path / "stock.db"
    if not is_new:
        shop.Stock(path, GOODS).close()
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    asked = ["inventory", "--listen", "udp://127.0.0.1:0", "--store", str(path)]
    with held_by_somebody(path), pytest.raises(SystemExit) as end:
        role.run("era0_naive", asked)
    assert end.value.code == role.CANNOT_START
    said = f"era0_naive inventory cannot start: {path} was locked for {PATIENCE_S} s\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("kind", ["SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_SNAPSHOT"])
def test_every_kind_of_busy_is_busy(impatient, monkeypatch, kind):
    """A recovery after kill -9 of another instance, for one, is busy too."""

    monkeypatch.setattr(impatient._file, "_db", Failing("locked", getattr(sqlite3, kind)))
    with pytest.raises(shop.Busy), impatient.transaction():
        pytest.fail("entered")


def test_a_failure_that_is_none_of_waiting_is_told_as_what_it_is(impatient, monkeypatch):
    monkeypatch.setattr(impatient._file, "_db", Failing("disk I/O error", sqlite3.SQLITE_IOERR))
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"), impatient.transaction():
        pytest.fail("entered")


def test_what_was_released_is_remembered_also_if_nothing_was_reserved(stock, tmp_path):
    stock.reserve("o-1", "lamp", 2)
    assert not stock.was_released("o-1")
    stock.release("o-1")
    stock.release("o-1")
    stock.release("o-2")
    assert [stock.was_released(order) for order in ("o-1", "o-2", "o-3")] == [True, True, False]
    other = shop.Stock(tmp_path / "stock.db", GOODS)
    assert other.was_released("o-1"), "by every instance, and after a restart"
    other.close()


def test_a_release_that_fails_half_way_is_not_remembered(stock):
    stock.reserve("o-1", "lamp", 2)
    with pytest.raises(ZeroDivisionError), stock.transaction():
        stock.release("o-1")
        assert stock.was_released("o-1")
        1 / 0  # noqa: B018
    assert not stock.was_released("o-1")
    assert stock.reserved("o-1") == [("lamp", 2)]
    assert stock.shelves()["lamp"] == (10, 8)


def test_a_refused_release_is_not_remembered(stock):
    assert stock.release("a/b").kind == "invalid"
    assert not stock.was_released("a/b")


def test_threads_that_queue_behind_one_who_waits_are_told_as_soon_as_it_is(tmp_path):
    """Else the last of twelve would learn after twelve times its patience that it was too long."""
    stock = shop.Stock(tmp_path / "stock.db", GOODS, busy_timeout_s=0.3)
    told_after_s: list[float] = []

    def reserve(number: int) -> None:
        began = time.monotonic()
        with pytest.raises(shop.Busy):
            stock.reserve(f"o-{number}", "lamp", 1)
        told_after_s.append(time.monotonic() - began)

    with held_by_somebody(tmp_path / "stock.db"):
        threads = [threading.Thread(target=reserve, args=[number]) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    stock.close()
    assert len(told_after_s) == 12
    assert max(told_after_s) < 12 * 0.3 / 2, "they did not wait one after the other"


@pytest.fixture
def book(tmp_path):
    opened = shop.Book(tmp_path / "book.db", busy_timeout_s=PATIENCE_S)
    yield opened
    opened.close()


def test_an_order_that_could_not_even_be_begun_is_certainly_as_it_was(book, tmp_path):
    def reserve(*asked):
        pytest.fail("inventory was asked")

    with held_by_somebody(tmp_path / "book.db"):
        answer = shop.place(book, reserve, "o-1", "lamp", 1)
    assert (answer.kind, answer.certain) == ("unavailable", True)
    assert shop.show(book, "o-1").kind == "not_found"


def test_what_was_reserved_but_could_not_be_written_down_is_of_unknown_fate(book, tmp_path):
    with ExitStack() as held:

        def reserve(*asked):
            held.enter_context(held_by_somebody(tmp_path / "book.db"))
            return shop.Outcome("reserved")

        answer = shop.place(book, reserve, "o-1", "lamp", 1)
        assert (answer.kind, answer.certain) == ("unavailable", False)
    again = shop.place(book, lambda *asked: shop.Outcome("reserved"), "o-1", "lamp", 1)
    assert again.kind == "placed", "its repetition settles it"


def test_a_cancellation_that_could_not_be_written_down_is_of_unknown_fate(book, tmp_path):
    shop.place(book, lambda *asked: shop.Outcome("reserved"), "o-1", "lamp", 1)
    with held_by_somebody(tmp_path / "book.db"):
        refused = shop.cancel(book, lambda order: pytest.fail("inventory was asked"), "o-1")
    assert (refused.kind, refused.certain) == ("unavailable", True)
    with ExitStack() as held:

        def release(order):
            held.enter_context(held_by_somebody(tmp_path / "book.db"))
            return shop.Outcome("released")

        answer = shop.cancel(book, release, "o-1")
        assert (answer.kind, answer.certain) == ("unavailable", False)
    assert shop.cancel(book, lambda order: shop.Outcome("released"), "o-1").kind == "cancelled"
