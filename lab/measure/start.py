"""`eras measure start`: how long each role of each era takes to import and to be ready.

The peer is the bare interpreter: what remains above it is the era's own price. Where an era is
many processes, the time until all of them are one shop is asked for as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab import find
from lab.measure.cast import Cast, roles
from lab.measure.figure import Figure, Target, alone, compare
from lab.measure.processes import Processes
from lab.measure.turns import Part, Step
from lab.measure.whole import measure

ROUNDS = 7
STEP_S = 0.8  # planned for one round of one role
WHOLE_STEP_S = 2.0
INSTANCES = 3
CONDITIONS = {
    "import": "from the start of a process that imports the role to its end",
    "ready": "from the start of the role's process to its ready line; the registry, where there "
    "is one, runs already",
    "whole": f"registry, {INSTANCES} inventories at once, then orders: from the start of the first "
    "process until orders knows all inventories",
}
BARE = "the bare interpreter"
WHOLE_TARGET = Target("ours", at_most=1.5)  # on two cores


def parts(quick: bool) -> list[Part]:
    """Return one part per role of every era found here, then one per era of many processes.

    Where sidecars are, `sidecar_start.py` asks the same: their services alone are of no use.
    """
    rounds = 1 if quick else ROUNDS
    eras = [era for era in find.eras() if not era.has_sidecars]
    each = [_part(era, role, rounds) for era in eras for role in roles(era)]
    return each + [_whole(era, rounds) for era in eras if era.speaks_http]


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


def _whole(era: find.Era, rounds: int) -> Part:
    name = f"start/{era.number}/whole/ready"

    def run(step: Step) -> list[Figure]:
        took_s = []
        for number in range(rounds):
            with Processes() as processes:
                took_s.append(Cast(era, processes).start_whole(INSTANCES))
            step(f"start of the whole of {era.package}, round {number + 1}", WHOLE_STEP_S)
        return [alone(name, "s", took_s, WHOLE_TARGET)]

    return Part((name,), WHOLE_STEP_S * rounds, run)


def _milliseconds_to_end(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    # A session of its own: Ctrl-C is for us alone, and run() ends whom it was waiting for.
    subprocess.run(command, check=True, env=find.child_environment(), start_new_session=True)
    return (time.perf_counter() - began) * 1000


def _milliseconds_to_ready(era: find.Era, role: str) -> float:
    with Processes() as processes:
        cast = Cast(era, processes)
        if era.speaks_http and role != "registry":
            cast.start("registry")
        return cast.start(role) * 1000
