"""A thousand seeded histories of era 1's transport on virtual time: how long they take."""

from __future__ import annotations

import subprocess
import sys
import time

from lab import find
from lab.measure import CannotMeasure
from lab.measure.figure import Figure, Target, alone
from lab.measure.turns import Part, Step

NAME = "transport/sweep/1000-histories"
PLANNED_S = 20.0


def parts(quick: bool) -> list[Part]:
    """Return the one part; none when it must be quick."""
    return [] if quick else [Part((NAME,), PLANNED_S, _run)]


def _run(step: Step) -> list[Figure]:
    command = [sys.executable, "-m", f"{find.find('1').package}.sweep"]
    began = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, env=find.child_environment())
    took_s = time.monotonic() - began
    said = (ended.stdout + ended.stderr).strip().splitlines()
    if ended.returncode:
        raise CannotMeasure(f"the sweep found a broken law: {' '.join(said[-3:])}")
    step(f"1,000 histories in {took_s:.0f} s", PLANNED_S)
    return [alone(NAME, "s", [took_s], Target("ours", at_most=60), note=" ".join(said[-1:]))]
