"""A thousand seeded histories of era 1's transport on virtual time: how long they take."""

from __future__ import annotations

import sys
import time

from lab import find
from lab.measure import child
from lab.measure.figure import Figure, Target, alone
from lab.measure.turns import Part, Step

NAME = "transport/sweep/1000-histories"
PLANNED_S = 20.0


def parts(quick: bool) -> list[Part]:
    """Return the one part; none when it must be quick."""
    return [] if quick else [Part((NAME,), PLANNED_S, _run)]


def _run(step: Step) -> list[Figure]:
    began = time.monotonic()
    said = list(child.lines([sys.executable, "-m", f"{find.find('1').package}.sweep"]))
    took_s = time.monotonic() - began
    step(f"1,000 histories in {took_s:.0f} s", PLANNED_S)
    return [alone(NAME, "s", [took_s], Target("ours", at_most=60), note=" ".join(said[-1:]))]
