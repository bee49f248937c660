"""How many lines each concern has, in which era, on which floor; and what the table misses."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.concerns.attribution import Attribution, attribute
from lab.concerns.lines import COMMENTS
from lab.concerns.table import ALL_ERAS, Table, TableError
from lab.find import ROOT, Era

SOURCES = {".py", *COMMENTS} - {".toml"}


@dataclass(frozen=True)
class Count:
    """Lines of code: era (the package, or ALL_ERAS) -> concern -> floor -> lines.

    Where another floor took a concern away there is that floor with 0 lines.
    """

    concerns: Sequence[str]
    eras: Mapping[str, Mapping[str, Mapping[str, int]]]

    def total(self, era: str, concern: str) -> int:
        """The lines of one concern, on all floors."""
        return sum(self.eras[era].get(concern, {}).values())

    def on_floor(self, era: str, floor: str) -> int:
        """The lines of all concerns on one floor."""
        return sum(floors.get(floor, 0) for floors in self.eras[era].values())


def count(eras: Sequence[Era], table: Table, root: Path = ROOT) -> Count:
    """Add up what the table says of these eras. Raises TableError for an era it does not know."""
    for era in eras:
        if era.package not in table.packages:
            accepted = ", ".join(sorted(table.packages))
            raise TableError(f"era {era.package!r} is not in table.toml; accepted: {accepted}")
    columns = [ALL_ERAS, *(era.package for era in eras)]
    return Count(table.concerns, {column: _column(column, table, root) for column in columns})


def _column(column: str, table: Table, root: Path) -> dict[str, Counter[str]]:
    lines: dict[str, Counter[str]] = {}
    for path, rules in table.files.items():
        if column != rules.column and path not in table.borrowed.get(column, ()):
            continue
        floor = table.sunk.get(column, {}).get(rules.column, rules.floor)
        for concern in attribute(root / path, rules).concern.values():
            lines.setdefault(concern, Counter())[floor] += 1
    for concern, floor in table.taken.get(column, {}).items():
        lines.setdefault(concern, Counter())[floor] += 0
    return lines


def complaints(table: Table, root: Path = ROOT) -> list[str]:
    """Where table and source differ: what belongs to nothing, and entries that meet nothing."""
    there = {
        str(path.relative_to(root))
        for package in root.glob("era[0-6]_*")
        for path in package.rglob("*")
        if path.suffix in SOURCES
    }
    shown = {path for path in there for pattern in table.exhibits if fnmatch.fnmatch(path, pattern)}
    told = [f"{path} is not in the table" for path in sorted(there - shown - table.files.keys())]
    told += [f"{path} is in the table and not there" for path in table.files.keys() - there]
    told += [f"no file is like {p!r}" for p in table.exhibits if not fnmatch.filter(shown, p)]
    for place, rules in table.files.items():
        if place in there:
            told += _differences(place, attribute(root / place, rules))
    return told


def _differences(place: str, found: Attribution) -> Iterator[str]:
    for number, line in found.unknown.items():
        yield f"{place}:{number} belongs to nothing: {line}"
    for entry in found.idle:
        yield f"{place} has no {entry!r} any more"
