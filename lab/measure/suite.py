"""`eras measure suite`: how long the tests take, all of them and those of era 1 alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from lab import find
from lab.measure import CannotMeasure
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
        command = [sys.executable, "-m", "pytest", "--quiet", *options]
        began = time.monotonic()
        ended = subprocess.run(
            command, cwd=find.ROOT, capture_output=True, text=True, env=find.child_environment()
        )
        took_s = time.monotonic() - began
        verdict = (ended.stdout.strip().splitlines() or ["pytest said nothing"])[-1]
        if ended.returncode:
            raise CannotMeasure(f"the suite does not pass: {verdict}")
        step(f"{name}: {verdict}", planned_s)
        return [alone(name, "s", [took_s], note=verdict)]

    return Part((name,), planned_s, run)
