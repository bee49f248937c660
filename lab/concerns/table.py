"""The table: which lines of which file belong to which concern, and on which floor they stand."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("table.toml")
ALL_ERAS = "all"  # the column of what every era imports
FLOORS = ("application", "library", "process", "kernel", "control plane")


class TableError(ValueError):
    """The message names the entry of table.toml and what is accepted."""


@dataclass(frozen=True)
class FileRules:
    """How one file is attributed.

    concern: of every line, if the file is about one thing only. Else, in this order: `whole`
    definitions with all that is in them; lines that use one of `names`, the first concern that
    has one; `mostly`, the definitions around it. Definitions are written Class.method; `import`
    stands for the imports.
    """

    path: str
    column: str
    floor: str
    concern: str = ""
    whole: Mapping[str, str] = field(default_factory=dict)
    mostly: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """`taken`: era -> concern -> the floor that took it, where no line of ours is left.

    borrowed: era -> the files of earlier ones that it runs. sunk: era -> an earlier one -> the
    floor on which its files run here, if another than before. exhibits: patterns of files that are
    linked into no service, and not counted.
    """

    concerns: tuple[str, ...]
    files: Mapping[str, FileRules]
    taken: Mapping[str, Mapping[str, str]]
    borrowed: Mapping[str, list[str]]
    sunk: Mapping[str, Mapping[str, str]]
    exhibits: tuple[str, ...]

    @property
    def packages(self) -> set[str]:
        """The eras that it knows."""
        return {rules.column for rules in self.files.values()} - {ALL_ERAS}


@cache
def load(path: Path = TABLE) -> Table:
    """Read the table; raises TableError."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    concerns = tuple(content["concerns"])
    rules: dict[str, FileRules] = {}
    for each in [*_whole_files(content), *_mixed_files(content)]:
        if each.path in rules:
            raise TableError(f"{each.path} is in the table twice; accepted: once")
        _check(each, concerns)
        rules[each.path] = each
    exhibits = tuple(content["exhibits"])
    sunk = content.get("sunk", {})
    return Table(concerns, rules, content["taken"], content["borrowed"], sunk, exhibits)


def _whole_files(content: Mapping[str, Any]) -> Iterator[FileRules]:
    shared = set(content["shared"])
    for floor, concerns in content["file"].items():
        for concern, paths in concerns.items():
            for path in paths:
                yield FileRules(path, _column(path, shared), floor, concern)


def _mixed_files(content: Mapping[str, Any]) -> Iterator[FileRules]:
    shared = set(content["shared"])
    for entry in content["mixed"]:
        for path in entry["paths"]:
            yield FileRules(
                path,
                _column(path, shared),
                entry["floor"],
                whole=_by_symbol(entry, "whole"),
                mostly=_by_symbol(entry, "mostly"),
                names={concern: tuple(names) for concern, names in entry.get("names", {}).items()},
            )


def _column(path: str, shared: set[str]) -> str:
    return ALL_ERAS if path in shared else path.partition("/")[0]


def _by_symbol(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    rows = entry.get(key, {}).items()
    return {symbol: concern for concern, symbols in rows for symbol in symbols}


def _check(rules: FileRules, concerns: tuple[str, ...]) -> None:
    if rules.floor not in FLOORS:
        raise TableError(f"{rules.path}: floor {rules.floor!r}; accepted: {', '.join(FLOORS)}")
    used = {rules.concern, *rules.whole.values(), *rules.mostly.values(), *rules.names} - {""}
    unknown = sorted(used - set(concerns))
    if unknown:
        raise TableError(f"{rules.path}: concern {unknown[0]!r}; accepted: {', '.join(concerns)}")
