"""Until when does anybody wait for the answer? One moment, told to every service on the way.

A timeout per hop adds up, and the last service works for a caller who left long ago. A deadline is
set once, at the edge, and travels as what is left of it: a duration, as clocks of two machines do
not agree (gRPC does the same). Whoever receives it takes it over, never more; what is sent on is
strictly smaller than what came in, so a request that runs in a circle ends.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_MS = 999_999_999  # nine digits, eleven days


class BadDeadline(ValueError):
    """What should be a deadline is none; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the clock of this process; `granted_ms` is what was there to begin with."""

    at: float
    granted_ms: int

    @classmethod
    def after(cls, now: float, seconds: float) -> Deadline:
        """The deadline that a call gets which brought none."""
        return cls(now + seconds, int(seconds * 1000))

    @classmethod
    def parse(cls, text: str, now: float) -> Deadline:
        """The deadline that a header says: a whole number of ms. Raises BadDeadline."""
        # int() alone takes " 5", "+5", "1_0" and digits of every script
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise BadDeadline(
                f"the deadline is {text[:20]!r}: accepted is a whole number of milliseconds "
                f"from 0 to {MOST_MS}"
            )
        granted_ms = int(text)
        return cls(now + granted_ms / 1000, granted_ms)

    def left_s(self, now: float) -> float:
        """How many seconds are left; not above 0: it has passed."""
        return self.at - now

    def header(self, now: float) -> str:
        """What the next service is told: whole ms, less than came in; "0" if it has passed."""
        left_ms = int((self.at - now) * 1000)
        return str(max(0, min(left_ms, self.granted_ms - 1)))

    def try_timeout_s(self, now: float, per_try_s: float) -> float:
        """How long one attempt may take: its own limit, and never more than what is left."""
        return max(0.0, min(per_try_s, self.at - now))

    def sooner(self, other: Deadline) -> Deadline:
        """The one of the two that passes first."""
        return self if self.at <= other.at else other
