"""When to tell of a change: the first at once, all that follow soon after it together.

A hundred endpoints that come within a second are not a hundred times told to everybody.
"""

from __future__ import annotations

import math

QUIET_S = 0.02


class Debounce:
    """Times are seconds of any one clock, given as `now`."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        """quiet_s: from one telling to the next, at least."""
        self._quiet_s = quiet_s
        self._told_at = -math.inf
        self._due_at: float | None = None

    def changed(self, now: float) -> float | None:
        """When to tell of it; None: that is said already."""
        if self._due_at is not None:
            return None
        self._due_at = max(now, self._told_at + self._quiet_s)
        return self._due_at

    def told(self, now: float) -> None:
        """All that has changed until now is told."""
        self._told_at, self._due_at = now, None

    @property
    def is_waiting(self) -> bool:
        """Whether there is something of which nobody has been told."""
        return self._due_at is not None
