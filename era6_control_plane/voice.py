"""What the control plane says to whoever runs it: one line at a time, and not without end.

Others have a word in it: a proxy says why it refuses, a stranger fails to join. Neither may forge a
line, nor speak to the terminal, nor fill the disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AT_ONCE, MOST_A_SECOND = 500, 20  # lines
MOST_LETTERS = 500


def plain(text: str) -> str:
    """One line that can be read, whatever it was."""
    shown = text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
    return "".join(each if each.isprintable() else "?" for each in shown)


class Voice:
    """Any thread may use it."""

    def __init__(
        self, speak: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """speak: where a line goes. clock: monotonic seconds."""
        self._speak = speak
        self._clock = clock
        self._spare, self._counted_at = float(AT_ONCE), clock()
        self._unsaid = 0

    def say(self, text: str) -> None:
        """Unless too much was said just now; then how much it was is told with the next line."""
        now = self._clock()
        earned = (now - self._counted_at) * MOST_A_SECOND
        self._spare, self._counted_at = min(AT_ONCE, self._spare + earned), now
        if self._spare < 1:
            self._unsaid += 1
            return
        self._spare -= 1
        if unsaid := self._unsaid:
            self._unsaid = 0
            self._speak(f"{unsaid} lines are left out: {MOST_A_SECOND} a second are said")
        self._speak(plain(text))

    def __repr__(self) -> str:
        return f"<Voice, {self._spare:.0f} lines to spare>"
