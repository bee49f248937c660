"""What was in force before: for a proxy that has died while its file was being edited.

A reload refuses a bad file and goes on with what it has. Who is started again by the supervisor has
nothing, so a copy of the text that was last in force is kept beside the file, and used only then.
It is the text that was read and judged: the file may say something else by now.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from era5_sidecar.config import ConfigFileError, SidecarConfig, contents, read


@dataclass(frozen=True)
class Reading:
    """A file as it was read, once: its text, and what that says."""

    raw: bytes
    config: SidecarConfig

    @classmethod
    def of(cls, path: Path) -> Reading:
        """Raises ConfigFileError."""
        raw = contents(path)
        return cls(raw, read(path, raw))


def copy_of(path: Path) -> Path:
    """Where the copy is: in the same folder, as paths in it are relative to that."""
    return path.with_name(f".{path.name}.in-force")


def keep(path: Path, raw: bytes) -> None:
    """This text is what is in force now. Raises OSError; then the copy is what it was.

    At an upgrade two proxies have the same file: each writes aside under a name of its own.
    """
    copy = copy_of(path)
    aside = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(raw)
        aside.replace(copy)  # whoever reads it reads it whole
    except OSError:
        with suppress(OSError):  # a full disk has room for no half of it
            aside.unlink(missing_ok=True)
        raise


class Keeping:
    """What one proxy keeps for whoever is started in its place; what prevents it is said once."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._trouble = ""

    def keep(self, raw: bytes) -> None:
        """This text is in force now."""
        trouble = ""
        try:
            keep(self._path, raw)
        except OSError as error:
            trouble = f"{error.strerror}: no copy for a proxy started again over a bad file"
        if trouble and trouble != self._trouble:
            self._say(f"{copy_of(self._path)}: {trouble}")
        self._trouble = trouble


def read_first(path: Path, is_again: bool) -> tuple[Reading, str]:
    """What to start with, and why it is not what the file says now; empty if it is.

    is_again: in the place of a proxy that has died. Raises ConfigFileError.
    """
    try:
        return Reading.of(path), ""
    except ConfigFileError as error:
        if not is_again:
            raise
        try:
            return Reading.of(copy_of(path)), str(error)
        except ConfigFileError as worse:
            told = f"{error.problem}; what was in force before is of no use either: {worse}"
            raise ConfigFileError(path, error.line, error.key, told) from worse
