"""`eras diff --concerns` and `--to-learn`: where the code went, and what must be known of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lab.concerns import show
from lab.concerns.count import count
from lab.concerns.learned import to_learn
from lab.concerns.table import load
from lab.find import Era, eras, find
from lab.screen import say, screen

FIRST_WITH_LIBRARY = "2"  # below it the library was ours to write


def run(names: Sequence[str], as_json: bool, is_learning: bool) -> int:
    """Print the tables for these eras, for all if none is named. Returns 0.

    Raises UnknownEra, TableError.
    """
    table = load()
    chosen = [find(name) for name in names] or [e for e in eras() if e.package in table.packages]
    counted = count(chosen, table)
    learned = [to_learn(era.package, table) for era in chosen if _is_told(era, bool(names))]
    if as_json:
        print(json.dumps(show.as_json(counted, learned), indent=1, ensure_ascii=False))
        return 0
    console, numbers = screen(), {era.package: era.number for era in chosen}
    if is_learning:
        console.print(show.learning(learned, numbers))
        say(console, show.LEARNING)
        return 0
    console.print(show.concerns(counted, numbers, is_change=len(names) == 2))
    say(console, show.LEGEND)
    return 0


def _is_told(era: Era, is_asked_for: bool) -> bool:
    return is_asked_for or era.number >= FIRST_WITH_LIBRARY
