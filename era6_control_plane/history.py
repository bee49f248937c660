"""Every intent that was ever in force, by revision: what was said, by whom, when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Moved(Exception):
    """Somebody else has changed the intent meanwhile; the message names the newest revision."""


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

    def __init__(self, path: Path) -> None:
        """Opens or makes it. Raises ValueError, naming the path, for a file that is none of ours,
        or is damaged; Busy."""
        raise NotImplementedError

    def add(
        self, text: str, who: str, note: str, changes: Sequence[str], base: int | None, at: float
    ) -> Revision:
        """A new revision, which is the newest from now on, and on the disk.

        base: the number that must be the newest (0: none yet); None: any. Raises Moved, Busy.
        """
        raise NotImplementedError

    def newest(self) -> Revision | None:
        """None: there is none yet."""
        raise NotImplementedError

    def revision(self, number: int) -> Revision:
        """Raises UnknownRevision."""
        raise NotImplementedError

    def latest(self, limit: int) -> list[Revision]:
        """The newest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of the file."""
        raise NotImplementedError
