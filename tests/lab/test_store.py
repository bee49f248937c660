"""Nobody is stopped in the middle of a transaction on a store that others share."""

import sqlite3
import threading

import pytest

from lab.cast import store as module
from lab.cast.store import between_transactions


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "stock.db"
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE goods (sku TEXT)")
    return path


def test_inside_nobody_else_can_begin_to_write(store):
    writer = sqlite3.connect(store, timeout=0, isolation_level=None)
    with between_transactions(store), pytest.raises(sqlite3.OperationalError, match="locked"):
        writer.execute("BEGIN IMMEDIATE")
    writer.execute("BEGIN IMMEDIATE")  # and afterwards everybody can


def test_it_waits_until_who_is_writing_has_finished(store):
    writer = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO goods VALUES ('tea')")
    inside = threading.Event()

    def enter() -> None:
        with between_transactions(store):
            inside.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not inside.wait(0.05)
    writer.execute("COMMIT")
    waiting.join(10)
    assert inside.is_set()


def test_a_store_that_stays_locked_is_named(store, monkeypatch):
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    writer = sqlite3.connect(store, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(ValueError, match=r"stock\.db: database is locked"),
        between_transactions(store),
    ):
        raise AssertionError("nobody may come in here")


def test_where_there_is_no_store_there_is_nobody_to_wait_for(tmp_path):
    with between_transactions(tmp_path / "stock.db"):
        assert not (tmp_path / "stock.db").exists()
