"""Where the shop writes things down: two SQLite files, inventory's Stock and orders' Book.

Threads and processes may share a file, and what a method has returned is there to stay
(`sqlite_file.py`).
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from era0_naive import rules
from era0_naive.goods import Product
from era0_naive.outcome import Order, Outcome, refusal
from era0_naive.sqlite_file import BUSY_TIMEOUT_S, SqliteFile


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

        busy_timeout_s: how long to wait for another process that holds the file, then Busy. While
        the file is opened, BUSY_TIMEOUT_S: several instances may start at once.
        """
        self._file = SqliteFile(path, self.SCHEMA)
        with self.transaction():
            for product in products:
                self._file.change(
                    "INSERT OR IGNORE INTO stock VALUES (?1, ?2, ?2)",
                    product["sku"],
                    product["stock"],
                )
        self._file.wait_at_most(busy_timeout_s)

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

    def __init__(self, path: Path | str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Opens or makes the file. busy_timeout_s: how long to wait for one's turn, then Busy."""
        self._file = SqliteFile(path, self.SCHEMA)
        self._file.wait_at_most(busy_timeout_s)
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
