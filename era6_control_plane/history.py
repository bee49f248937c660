"""Every intent that was ever in force, by revision: what was said, by whom, when, and why.

Revisions are only ever added: going back is a new one that says what an old one said. Whoever
changes an intent says on which revision his is based, so that of two who change it at once the
second is told instead of undoing unseen what the first did.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from era0_naive.sqlite_file import SqliteFile

MOST_KEPT = 1000  # revisions; of an intent of the longest kind that is a gigabyte
MARK = 0x7E6A0001  # SQLite's `application_id`: this file is a history of ours, in this form
SCHEMA = (
    # AUTOINCREMENT: the number of a revision that was forgotten is never given to another
    """CREATE TABLE IF NOT EXISTS revisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL,
        text TEXT NOT NULL, changes TEXT NOT NULL)""",
    f"PRAGMA application_id = {MARK}",
)
COLUMNS = "number, at, who, note, text, changes"


class Moved(Exception):
    """Somebody else has changed the intent meanwhile."""

    def __init__(self, newest: int, base: int | None) -> None:
        super().__init__(f"revision {newest} is the newest, and not {base}, on which this is based")


class UnknownRevision(Exception):
    """There is no such revision; the message names those that are kept."""


@dataclass(frozen=True)
class Revision:
    """One intent. `at`: seconds since the epoch. changes: what it changed, in words."""

    number: int
    at: float
    who: str
    note: str
    text: str
    changes: tuple[str, ...]


class History:
    """The file of revisions, for any number of threads and processes."""

    def __init__(self, path: Path, most_kept: int = MOST_KEPT) -> None:
        """Opens or makes it.

        Raises ValueError, naming the path, for a file that is none of ours or is damaged; Busy.
        """
        _judge(path)
        self._file = SqliteFile(path, SCHEMA)
        self._most_kept = most_kept

    def add(
        self, text: str, who: str, note: str, changes: Sequence[str], base: int | None, at: float
    ) -> Revision:
        """A new revision, which is the newest from now on, and on the disk.

        who, note: by whom and why. changes: what it changed, in words. base: the number that must
        be the newest (0: none yet); None: any. at: seconds since 1970. Raises Moved, Busy.
        """
        with self._file.transaction():
            newest = self._newest_number()
            if base not in (None, newest):
                raise Moved(newest, base)
            self._file.change(
                "INSERT INTO revisions (at, who, note, text, changes) VALUES (?, ?, ?, ?, ?)",
                *(at, who, note, text, json.dumps(list(changes))),
            )
            number = self._newest_number()
            self._file.change("DELETE FROM revisions WHERE number <= ?", number - self._most_kept)
        return Revision(number, at, who, note, text, tuple(changes))

    def newest(self) -> Revision | None:
        """None: there is none yet."""
        return next(iter(self.latest(1)), None)

    def revision(self, number: int) -> Revision:
        """Raises UnknownRevision."""
        found = self._file.ask(f"SELECT {COLUMNS} FROM revisions WHERE number = ?", number)  # noqa: S608
        if not found:
            raise UnknownRevision(f"revision {number} is not known: {self._kept()}")
        return _revision(found[0])

    def latest(self, limit: int) -> list[Revision]:
        """The newest first."""
        found = self._file.ask(
            f"SELECT {COLUMNS} FROM revisions ORDER BY number DESC LIMIT ?",  # noqa: S608
            limit,
        )
        return [_revision(row) for row in found]

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _newest_number(self) -> int:
        [(number,)] = self._file.ask("SELECT ifnull(max(number), 0) FROM revisions")
        return int(number)

    def _kept(self) -> str:
        [(first, last)] = self._file.ask("SELECT min(number), max(number) FROM revisions")
        return f"accepted are {first} to {last}" if last else "there is none yet"


def _revision(row: Sequence[Any]) -> Revision:
    number, at, who, note, text, changes = row
    return Revision(number, at, who, note, text, tuple(json.loads(changes)))


def _judge(path: Path) -> None:
    """Nothing is written into a file that is not ours, or that has come to harm."""
    if not path.exists():
        return
    ahead = path.with_name(f"{path.name}-wal")
    if not path.stat().st_size and ahead.exists() and ahead.stat().st_size:
        # SQLite would take it for new, and throw away what was accepted last
        raise _unusable(path, f"is damaged (it is empty, and {ahead.name} beside it is not)")
    try:
        with closing(sqlite3.connect(path)) as file:
            # in this order: somebody may be making it, mark and tables at once
            [(tables,)] = file.execute("SELECT count(*) FROM sqlite_master").fetchall()
            [(mark,)] = file.execute("PRAGMA application_id").fetchall()
            [(harm,), *_] = file.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        raise _unusable(path, f"is damaged, or no SQLite file ({error})") from error
    if harm != "ok":
        raise _unusable(path, f"is damaged ({harm})")
    if tables and mark != MARK:
        raise _unusable(path, "is an SQLite file of somebody else's")


def _unusable(path: Path, problem: str) -> ValueError:
    accepted = "accepted: a history that was written here, a copy of one, or no file yet"
    return ValueError(f"history {path} {problem}; {accepted}")
