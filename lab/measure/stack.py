"""`eras measure stack`: what era 4's framework costs, and what it is worth when things fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.measure import amplification, call_cost, instance_lost, machine, retry_storm
from lab.measure.turns import Part
from lab.measure.whole import measure

PACKAGES = ("flask", "waitress", "requests", "pyjwt", "prometheus-client")
GROUPS = (call_cost, amplification, retry_storm, instance_lost)


def parts(quick: bool) -> list[Part]:
    """Return everything that is measured, in its order."""
    return [part for group in GROUPS for part in group.parts(quick)]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is one round of each, with less load."""
    conditions: dict[str, Any] = {"packages": machine.versions(PACKAGES)}
    for group in GROUPS:
        conditions |= group.CONDITIONS
    return measure(parts(quick), conditions | {"quick": quick}, progress, only)
