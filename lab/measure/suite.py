"""`eras measure suite`: how long the tests take, all of them and those of era 1 alone."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from typing import Any

from lab.measure import child
from lab.measure.figure import Figure, alone
from lab.measure.turns import Part, Step
from lab.measure.whole import measure

CONDITIONS = {"command": "python -m pytest, and the options that `make test` gives it"}

# As `make test` runs them, after the linters.
COMMANDS = {
    "suite/all": (("-n", "2"), 180.0),
    "suite/era-1": (("--era", "1"), 60.0),
}


def parts(quick: bool) -> list[Part]:
    """Return one part per selection; era 1 alone when it must be quick."""
    return [_part(name) for name in COMMANDS if not quick or name == "suite/era-1"]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is era 1 alone."""
    return measure(parts(quick), CONDITIONS | {"quick": quick}, progress, only)


def _part(name: str) -> Part:
    options, planned_s = COMMANDS[name]

    def run(step: Step) -> list[Figure]:
        verdict, done = "pytest said nothing", 0.0
        began = time.monotonic()
        for line in child.lines([sys.executable, "-m", "pytest", "--quiet", *options]):
            verdict = line or verdict
            share = _share(line)
            if share:
                step(f"{name}: {share:.0%}", (share - done) * planned_s)
                done = share
        took_s = time.monotonic() - began
        step(f"{name}: {verdict}", (1 - done) * planned_s)
        return [alone(name, "s", [took_s], note=verdict)]

    return Part((name,), planned_s, run)


def _share(line: str) -> float:
    """Which share of the tests is done, 0..1, if a line of pytest's tells it; else 0."""
    told = re.search(r"\[ *(\d+)%\]$", line)
    return int(told[1]) / 100 if told else 0.0
