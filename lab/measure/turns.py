"""What is to be measured, in parts that can be chosen by name, and how long it will still take."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.measure.figure import Figure

Step = Callable[[str, float], None]  # what has just been done, and how long it was planned to take


@dataclass(frozen=True)
class Part:
    """One cell of a grid: it yields the figures `names` in about `planned_s` seconds."""

    names: tuple[str, ...]
    planned_s: float
    run: Callable[[Step], list[Figure]]


def chosen(parts: Sequence[Part], only: str) -> list[Part]:
    """Return the parts that yield a figure whose name contains the regular expression `only`.

    Raises ValueError if `only` is no regular expression or names nothing.
    """
    try:
        pattern = re.compile(only)
    except re.error as error:
        raise ValueError(f"--only {only!r} is not a regular expression: {error}") from error
    found = [part for part in parts if any(pattern.search(name) for name in part.names)]
    if not found:
        examples = ", ".join(part.names[0] for part in parts[:3])
        raise ValueError(f"--only {only!r} names no figure: accepted are for example {examples}")
    return found


class Remaining:
    """Estimates the time left from how the plan has fared so far, and tells it."""

    def __init__(
        self,
        planned_s: float,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._planned_s = planned_s
        self._done_s = 0.0
        self._tell = tell
        self._clock = clock
        self._began = clock()

    def step(self, label: str, planned_s: float) -> None:
        """Tell that `label` is done, which was planned to take `planned_s`."""
        self._done_s += planned_s
        pace = (self._clock() - self._began) / self._done_s if self._done_s else 1.0
        left_s = max(0.0, self._planned_s - self._done_s) * pace
        self._tell(f"{label} (about {duration(left_s)} left)")


def duration(seconds: float) -> str:
    """Return `seconds` as a reader says it: "40 s", "12 min"."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
