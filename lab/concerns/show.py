"""The counts as tables for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table as Grid

from lab.concerns.count import Count
from lab.concerns.learned import ToLearn
from lab.concerns.table import ALL_ERAS, FLOORS

SHORT = {"application": "app", "library": "lib", "process": "proc", "control plane": "plane"}
LEGEND = (
    "Lines of code, without blank ones, comments and docstrings. app: in orders.py and inventory.py"
    " and what starts them; lib: linked into both; proc: in a process of its own. A floor without a"
    " number does it with no line of ours. All eras: what every era imports."
)
LEARNING = (
    "Of the era's library, for the author of orders.py and inventory.py. Settings: numbers in the"
    " service, and every field of a configuration that it holds."
)


def cell(floors: Mapping[str, int]) -> str:
    """`16 app`, `131 lib` below it if there is more than one, `kernel`, or a dot for nothing."""
    told = [
        f"{floors[floor]} {SHORT.get(floor, floor)}" if floors[floor] else floor
        for floor in FLOORS
        if floor in floors
    ]
    return "\n".join(told) or "·"


def concerns(count: Count, numbers: Mapping[str, str], is_change: bool) -> Grid:
    """A row for each concern; `numbers`: package -> how its column is called.

    is_change: of two eras also what the one has more or less than the other.
    """
    grid = Grid("", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in count.eras:
        grid.add_column(heading(column, numbers), justify="right")
    if is_change:
        grid.add_column("change", justify="right")
    old, new = (list(count.eras)[1:3]) if is_change else ("", "")
    for concern in count.concerns:
        row = [cell(floors.get(concern, {})) for floors in count.eras.values()]
        if is_change:
            row.append(f"{count.total(new, concern) - count.total(old, concern):+d}")
        if set(row) - {"·", "+0"}:
            grid.add_row(concern, *row)
    grid.add_section()
    for floor in FLOORS:
        totals = {column: count.on_floor(column, floor) for column in count.eras}
        if any(totals.values()):
            row = [str(total or "·") for total in totals.values()]
            change = [f"{totals[new] - totals[old]:+d}"] if is_change else []
            grid.add_row(f"all, {floor}", *row, *change, style="bold")
    return grid


def heading(column: str, numbers: Mapping[str, str]) -> str:
    """`era 3`, or what the shared column is called."""
    return "all eras" if column == ALL_ERAS else f"era {numbers[column]}"


def learned(era: ToLearn) -> dict[str, int]:
    """What is counted -> how many."""
    return {
        "names imported": len(era.names),
        "settings": len(era.settings),
        "names documented": era.documented,
        "lines of library": era.lines,
    }


def learning(eras: Sequence[ToLearn], numbers: Mapping[str, str]) -> Grid:
    """A row for each thing to be counted, a column for each era."""
    grid = Grid("", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for era in eras:
        grid.add_column(heading(era.era, numbers), justify="right")
    for what in learned(eras[0]):
        grid.add_row(what, *(str(learned(era)[what]) for era in eras))
    return grid


def as_json(count: Count, eras: Sequence[ToLearn]) -> dict[str, Any]:
    """Both, for a machine."""
    return {
        "concerns": list(count.concerns),
        "floors": list(FLOORS),
        "lines": {era: {of: dict(n) for of, n in rows.items()} for era, rows in count.eras.items()},
        "to_learn": [asdict(era) for era in eras],
    }
