"""What was in force before: for a proxy that has died while its file was being edited.

A reload refuses a bad file and goes on with what it has. Who is started again by the supervisor has
nothing, so a copy of the file that was last in force is kept beside it, and used only then.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from era4_framework.config_rules import ConfigError
from era5_sidecar.config import SidecarConfig, read
from era5_sidecar.inheritance import AGAIN


def copy_of(path: Path) -> Path:
    """Where the copy is: in the same folder, as paths in it are relative to that."""
    return path.with_name(f".{path.name}.in-force")


def keep(path: Path, config: SidecarConfig) -> None:
    """This file says what is in force now. A folder that cannot be written has no copy."""
    copy = copy_of(path)
    with suppress(OSError, ConfigError):
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(path.read_bytes())
        if read(copy) != config:  # it was edited meanwhile
            copy.unlink()


def read_first(path: Path) -> tuple[SidecarConfig, str]:
    """What to start with, and why it is not what the file says now; empty if it is.

    Raises ConfigError.
    """
    is_again = bool(os.environ.pop(AGAIN, ""))
    try:
        return read(path), ""
    except ConfigError as error:
        if not is_again or not copy_of(path).exists():
            raise
        return read(copy_of(path)), str(error)
