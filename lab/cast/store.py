"""The store that all instances share, for moments at which none of them may be writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT_S = 10.0  # an instance writes for milliseconds, but a loaded machine is slow


@contextmanager
def between_transactions(store: Path) -> Iterator[None]:
    """Inside, no process is in the middle of a change of this SQLite file.

    Raises ValueError if somebody holds it for longer than WAIT_S; a missing file is nobody's.
    """
    if not store.exists():  # an inventory in another language keeps its goods elsewhere
        yield
        return
    where = f"{store.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(where, uri=True, timeout=WAIT_S, isolation_level=None)) as held:
        try:
            held.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise ValueError(f"{store}: {error}, for {WAIT_S:g} s") from error
        try:
            yield
        finally:
            held.execute("ROLLBACK")
