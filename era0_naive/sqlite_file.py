"""A file that threads and processes share: one writes at a time, all or nothing.

What has been committed survives `kill -9`, and, as SQLite then waits for the disk
(synchronous=FULL, its default), a power cut.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY_TIMEOUT_S = 10.0  # how long a writer waits for others, in this process or another
SWITCH_AGAIN_S = 0.005
PRIMARY_CODE = 0xFF  # the rest of an SQLite error code says which kind of busy, say, it is


class Busy(Exception):
    """Somebody else holds the file and did not let go in time: certainly nothing was written."""


class SqliteFile:
    """One SQLite file. Threads take turns by a lock, processes by SQLite's own."""

    def __init__(self, path: Path | str, schema: Sequence[str]) -> None:
        """Opens or makes it. Raises ValueError, naming the path, if that cannot be; Busy."""
        self._path = path
        self._busy_timeout_s = BUSY_TIMEOUT_S
        try:
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._turn = threading.RLock()
            self._log_ahead()
            with self.transaction():
                for table in schema:
                    self._db.execute(table)
        except sqlite3.Error as error:
            raise ValueError(
                f"store {path}: {error}; accepted: an SQLite file, or none yet, in a folder that"
                " can be written"
            ) from error

    def _log_ahead(self) -> None:
        """WAL: readers need not wait for the writer. Of two who switch a new file to it at the same
        moment SQLite tells one at once that it is busy, whatever the timeout, lest both wait.
        """
        last = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
                if time.monotonic() > last:
                    raise self._busy() from error
            time.sleep(SWITCH_AGAIN_S)

    def wait_at_most(self, busy_timeout_s: float) -> None:
        """From now on a transaction waits only so long for its turn, then it is Busy."""
        self._busy_timeout_s = busy_timeout_s
        self.ask(f"PRAGMA busy_timeout = {busy_timeout_s * 1000:.0f}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it becomes a part of that. Raises Busy."""
        asked = time.monotonic()
        with self._turn_before(asked + self._busy_timeout_s):
            if self._db.in_transaction:
                yield
                return
            self._begin(asked + self._busy_timeout_s - time.monotonic())
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _turn_before(self, moment: float) -> Iterator[None]:
        """Threads queue for the file as processes do, and for no longer."""
        if not self._turn.acquire(timeout=max(0.0, moment - time.monotonic())):
            raise self._busy()
        try:
            yield
        finally:
            self._turn.release()

    def _busy(self) -> Busy:
        return Busy(f"{self._path} was locked for {self._busy_timeout_s:g} s")

    def _begin(self, patience_s: float) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {max(0.0, patience_s) * 1000:.0f}")
        try:
            self._db.execute("BEGIN IMMEDIATE")  # a later upgrade to writing could fail as busy
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            raise self._busy() from error

    def change(self, sql: str, *values: object) -> int:
        """Returns how many rows it changed. Raises Busy."""
        with self.transaction():
            return self._db.execute(sql, values).rowcount

    def ask(self, sql: str, *values: object) -> list[Any]:
        with self._turn:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._turn:
            self._db.close()


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY
