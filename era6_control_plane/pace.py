"""How fast one client is listened to: whoever talks without end holds up nobody but himself."""

from __future__ import annotations

import asyncio
import time

AT_ONCE, MOST_A_SECOND = 200, 100  # messages; a change of everything is about ten


class Pace:
    """Of one stream."""

    def __init__(self) -> None:
        self._spare = float(AT_ONCE)
        self._counted_at = time.monotonic()

    async def keep(self) -> None:
        """To be called after each message: waits a little if there were too many."""
        now = time.monotonic()
        earned = (now - self._counted_at) * MOST_A_SECOND
        self._spare = min(AT_ONCE, self._spare + earned) - 1
        self._counted_at = now
        if self._spare < 0:
            await asyncio.sleep(1 / MOST_A_SECOND)

    def __repr__(self) -> str:
        return f"<Pace, {self._spare:.0f} to spare>"
