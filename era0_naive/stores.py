"""Where the shop writes things down: two SQLite files, inventory's Stock and orders' Book.

Threads and processes may share a file. What a method has returned survives `kill -9`, and, as
SQLite then waits for the disk (synchronous=FULL, its default), a power cut.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from era0_naive import rules
from era0_naive.goods import Product
from era0_naive.outcome import Order, Outcome, refusal

BUSY_TIMEOUT_S = 10.0  # how long a writer waits for another process that holds the file


class Busy(Exception):
    """Somebody else holds the file and did not let go in time: certainly nothing was written."""


class _File:
    """One SQLite file. Threads take turns by a lock, processes by SQLite's own."""

    def __init__(
        self, path: Path | str, schema: Sequence[str], busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        try:
            self._db = sqlite3.connect(
                path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            self._turn = threading.RLock()
            self._db.execute("PRAGMA journal_mode=WAL")  # readers need not wait for the writer
            with self.transaction():
                for table in schema:
                    self._db.execute(table)
        except sqlite3.Error as error:
            raise ValueError(
                f"store {path}: {error}; accepted: an SQLite file, or none yet, in a folder that"
                " can be written"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it becomes a part of that. Raises Busy."""
        with self._turn:
            if self._db.in_transaction:
                yield
                return
            self._begin()
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def _begin(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")  # a later upgrade to writing could fail as busy
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise Busy(f"{self._path} was locked for {self._busy_timeout_s:g} s") from error

    def change(self, sql: str, *values: object) -> int:
        """Returns how many rows it changed."""
        with self._turn:
            return self._db.execute(sql, values).rowcount

    def ask(self, sql: str, *values: object) -> list[Any]:
        with self._turn:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._turn:
            self._db.close()


class Stock:
    """What lies on inventory's shelves and what of it is promised to which order.

    `reserve` does not deduplicate: a request that arrives twice takes the goods twice. Whoever
    wants it otherwise asks `reserved` and `was_released` first, all inside one `transaction`.
    """

    SCHEMA = (
        "CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, initial INTEGER NOT NULL,"
        " available INTEGER NOT NULL CHECK (available BETWEEN 0 AND initial))",
        "CREATE TABLE IF NOT EXISTS reservations (order_id TEXT NOT NULL, sku TEXT NOT NULL,"
        " quantity INTEGER NOT NULL)",
        "CREATE INDEX IF NOT EXISTS by_order ON reservations (order_id)",
        "CREATE TABLE IF NOT EXISTS released (order_id TEXT PRIMARY KEY)",
    )

    def __init__(
        self,
        path: Path | str,
        products: Sequence[Product] = (),
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """Opens or makes the file; products it does not know yet are put on the shelf.

        busy_timeout_s: how long to wait for another process that holds the file, then Busy.
        """
        self._file = _File(path, self.SCHEMA, busy_timeout_s)
        with self.transaction():
            for product in products:
                self._file.change(
                    "INSERT OR IGNORE INTO stock VALUES (?1, ?2, ?2)",
                    product["sku"],
                    product["stock"],
                )

    def transaction(self) -> AbstractContextManager[None]:
        """What is done inside happens wholly or not at all, and nobody sees the middle."""
        return self._file.transaction()

    def close(self) -> None:
        self._file.close()

    def reserve(self, order_id: str, sku: str, quantity: int) -> Outcome:
        """reserved, out_of_stock, unknown_sku or invalid."""
        refused = refusal(order_id, sku, quantity)
        if refused:
            return refused
        with self.transaction():
            shelf = self._file.ask("SELECT available FROM stock WHERE sku = ?", sku)
            if not shelf:
                return Outcome("unknown_sku", f"sku is {rules.brief(sku)}; accepted: a catalogue's")
            if shelf[0][0] < quantity:
                return Outcome("out_of_stock", f"{quantity} of {sku} asked, {shelf[0][0]} left")
            self._file.change(
                "UPDATE stock SET available = available - ? WHERE sku = ?", quantity, sku
            )
            self._file.change("INSERT INTO reservations VALUES (?, ?, ?)", order_id, sku, quantity)
            return Outcome("reserved")

    def release(self, order_id: str) -> Outcome:
        """released (also when nothing was reserved, so it may be repeated) or invalid."""
        refused = refusal(order_id)
        if refused:
            return refused
        with self.transaction():
            for sku, quantity in self.reserved(order_id):
                self._file.change(
                    "UPDATE stock SET available = available + ? WHERE sku = ?", quantity, sku
                )
            self._file.change("DELETE FROM reservations WHERE order_id = ?", order_id)
            self._file.change("INSERT OR IGNORE INTO released VALUES (?)", order_id)
            return Outcome("released")

    def was_released(self, order_id: str) -> bool:
        """Whether the order was ever taken back: what still arrives for it is late."""
        return bool(self._file.ask("SELECT 1 FROM released WHERE order_id = ?", order_id))

    def reserved(self, order_id: str) -> list[tuple[str, int]]:
        """(sku, quantity) of each reservation that the order holds."""
        return self._file.ask("SELECT sku, quantity FROM reservations WHERE order_id = ?", order_id)

    def shelves(self) -> dict[str, tuple[int, int]]:
        """sku -> (initial, available)"""
        rows = self._file.ask("SELECT sku, initial, available FROM stock")
        return {sku: (initial, available) for sku, initial, available in rows}

    def reservations(self) -> list[tuple[str, str, int]]:
        """(order_id, sku, quantity), oldest first"""
        return self._file.ask("SELECT order_id, sku, quantity FROM reservations ORDER BY rowid")


class Book:
    """The orders that were taken, one row for each id."""

    SCHEMA = (
        "CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, sku TEXT NOT NULL,"
        " quantity INTEGER NOT NULL, status TEXT NOT NULL)",
    )

    def __init__(self, path: Path | str) -> None:
        self._file = _File(path, self.SCHEMA)
        self._at_work: set[str] = set()
        self._done = threading.Condition()

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def alone(self, order_id: str) -> Iterator[None]:
        """Two clerks must not work on the same order at once; others need not wait."""
        with self._done:
            self._done.wait_for(lambda: order_id not in self._at_work)
            self._at_work.add(order_id)
        try:
            yield
        finally:
            with self._done:
                self._at_work.remove(order_id)
                self._done.notify_all()

    def begin(self, order_id: str, sku: str, quantity: int) -> tuple[Order, bool]:
        """The order as the book has it, and whether it is new (then it is now `placing`)."""
        with self._file.transaction():
            order = self.find(order_id)
            if order:
                return order, False
            self._file.change(
                "INSERT INTO orders VALUES (?, ?, ?, 'placing')", order_id, sku, quantity
            )
            return Order(order_id, sku, quantity, "placing"), True

    def move(self, order_id: str, was: str, becomes: str) -> bool:
        """Change the status, if it still is what it was."""
        sql = "UPDATE orders SET status = ? WHERE order_id = ? AND status = ?"
        return self._file.change(sql, becomes, order_id, was) == 1

    def confirm(self, order: Order) -> bool:
        """The order is placed; False if it was before. Another process may have struck it out."""
        sql = (
            "INSERT INTO orders VALUES (?, ?, ?, 'placed') ON CONFLICT (order_id)"
            " DO UPDATE SET status = 'placed' WHERE status = 'placing'"
        )
        return self._file.change(sql, order.order_id, order.sku, order.quantity) == 1

    def strike_out(self, order_id: str) -> bool:
        """Forget an order that is not placed, if it still is not: its id is free again."""
        sql = "DELETE FROM orders WHERE order_id = ? AND status IN ('placing', 'refusing')"
        return self._file.change(sql, order_id) == 1

    def find(self, order_id: str) -> Order | None:
        rows = self._file.ask("SELECT * FROM orders WHERE order_id = ?", order_id)
        return Order(*rows[0]) if rows else None

    def orders(self) -> list[Order]:
        return [Order(*row) for row in self._file.ask("SELECT * FROM orders ORDER BY rowid")]
