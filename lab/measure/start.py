"""`eras measure start`: how long each role of each era takes to import and to be ready.

The peer is the bare interpreter: what remains above it is the era's own price.
"""

from __future__ import annotations

import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab import find
from lab.measure.figure import Figure, compare
from lab.measure.turns import Part, Step
from lab.measure.whole import measure

ROUNDS = 7
ROLES = ("inventory", "orders")
PATIENCE_S = 20.0
STEP_S = 0.6  # planned for one round of one role
CONDITIONS = {
    "import": "from the start of a process that imports the role to its end",
    "ready": "from the start of the role's process to its ready line",
}
BARE = "the bare interpreter"


def parts(quick: bool) -> list[Part]:
    """Return one part per role of every era found here."""
    rounds = 1 if quick else ROUNDS
    return [_part(era, role, rounds) for era in find.eras() for role in ROLES]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is one round."""
    return measure(parts(quick), CONDITIONS | {"quick": quick}, progress, only)


def _part(era: find.Era, role: str, rounds: int) -> Part:
    names = (f"start/{era.number}/{role}/import", f"start/{era.number}/{role}/ready")

    def run(step: Step) -> list[Figure]:
        imported_ms, ready_ms, bare_ms = [], [], []
        _milliseconds_to_end(["-c", f"import {era.package}.{role}"])  # warms the caches of files
        for number in range(rounds):
            bare_ms.append(_milliseconds_to_end(["-c", "pass"]))
            imported_ms.append(_milliseconds_to_end(["-c", f"import {era.package}.{role}"]))
            ready_ms.append(_milliseconds_to_ready(era, role))
            step(f"start of {era.package} {role}, round {number + 1}", STEP_S)
        return [
            compare(names[0], "ms", imported_ms, bare_ms, BARE),
            compare(names[1], "ms", ready_ms, bare_ms, BARE),
        ]

    return Part(names, STEP_S * rounds, run)


def _milliseconds_to_end(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, env=find.child_environment())
    return (time.perf_counter() - began) * 1000


def _milliseconds_to_ready(era: find.Era, role: str) -> float:
    scheme = era.schemes["portable"]
    with tempfile.TemporaryDirectory(prefix="eras-measure-") as directory:
        store = ("--store", str(Path(directory, "store.sqlite")))
        # No inventory listens there: orders must stand without it, and so it does.
        where = {
            "inventory": ("--listen", f"{scheme}://127.0.0.1:0"),
            "orders": (
                "--inventory",
                f"{scheme}://127.0.0.1:9",
                "--counter",
                f"{directory}/counter",
            ),
        }[role]
        began = time.perf_counter()
        with _Role([sys.executable, "-m", era.package, role, *where, *store]) as process:
            process.wait_until_ready()
            return (time.perf_counter() - began) * 1000


class _Role:
    """A role that is started to be timed, and stopped at once."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=find.child_environment()
        )

    def __enter__(self) -> _Role:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Return at the ready line; raises RuntimeError with what it said instead."""
        assert self._process.stdout  # noqa: S101  (a pipe was asked for)
        readable, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline().decode() if readable else ""
        if " ready at " not in line:
            raise RuntimeError(f"{' '.join(self._command[1:4])} did not get ready: {line.strip()}")
