"""From parts to a whole measurement: one after another, told, and never all lost with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.measure import CannotMeasure, Interrupted, machine
from lab.measure.turns import Part, Remaining, chosen, duration

BUSY = 0.7  # processes that run or want to, besides this one
SILENT_S = 2.0  # whoever waits for longer wants to know for what


def measure(
    parts: Sequence[Part],
    conditions: Mapping[str, Any],
    progress: Callable[[str], None],
    only: str,
) -> dict[str, Any]:
    """Run those of `parts` that `only` chooses; return what `lab.measure` says a run returns.

    A part that fails is told and left out: what is not there is listed under "missing", and
    another run can fetch it with `only`. Raises ValueError for a bad `only`, Interrupted (with
    what there is) after Ctrl-C.
    """
    plan = chosen(parts, only)
    planned_s = sum(part.planned_s for part in plan)
    progress(f"{sum(len(part.names) for part in plan)} figures in about {duration(planned_s)}")
    remaining = Remaining(planned_s, progress)
    described = machine.describe()
    if described["load_before"] > BUSY:
        progress(f"this machine is busy, load {described['load_before']}: the figures will show it")
    found: list[dict[str, Any]] = []

    def whole() -> dict[str, Any]:
        there = {figure["name"] for figure in found}
        return {
            "machine": described,
            "conditions": dict(conditions),
            "missing": [name for part in parts for name in part.names if name not in there],
            "figures": found,
        }

    try:
        for part in plan:
            found += _figures(part, remaining, progress)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(whole()) from interrupt
    return whole()


def _figures(
    part: Part, remaining: Remaining, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    if part.planned_s > SILENT_S:
        progress(f"{part.names[0]} begins, about {duration(part.planned_s)}")
    try:
        return [figure.as_json() for figure in part.run(remaining.step)]
    except CannotMeasure as failure:
        progress(f"failed: {part.names[0]} and what belongs to it: {failure}")
        return []
