"""Paths in a file are relative to its folder, wherever whoever reads it was started."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from era5_sidecar.config_text import UNIX


def resolve(
    table: dict[str, Any],
    folder: Path,
    files: Collection[str],
    sockets: Collection[str],
    others: Collection[str],
) -> None:
    """Makes those in a table absolute. files, sockets: keys, as `tls.key`; of a socket only
    unix:PATH is one. others: values that are no path. What makes no sense is left to be refused.
    """
    for inner, name in _found(table, files):
        if inner[name] not in others:
            inner[name] = str(folder / inner[name])
    for inner, name in _found(table, sockets):
        path = inner[name].removeprefix(UNIX)
        if path not in ("", inner[name]):
            inner[name] = UNIX + str(folder / path)


def _found(table: dict[str, Any], keys: Collection[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where they stand, if there is text."""
    for key in keys:
        *section, name = key.split(".")
        inner = table.get(section[0]) if section else table
        if isinstance(inner, dict) and isinstance(inner.get(name), str):
            yield inner, name
