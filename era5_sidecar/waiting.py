"""How a coroutine waits here: in a Place, and whoever has something for it resumes it on the spot.

asyncio tells a protocol that bytes came (`data_received`); a relay wants to say "the next head,
please". In between usually stand a Future, a Task and a turn of the loop, which cost more than all
that a relay decides. One thread, no locks.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any

Work = Coroutine[Any, Any, None]


class TooLate(Exception):
    """The deadline of a wait has passed."""


class Place:
    """Where one coroutine waits at a time."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: Work | None = None

    @types.coroutine
    def wait(self) -> Generator[Place, None, None]:
        """Until somebody wakes it."""
        yield self

    def wake(self, error: Exception | None = None) -> None:
        """Resume who waits here, if anybody does: with an error, or because something has come."""
        work, self.waiting = self.waiting, None
        if work is not None:
            resume(work, error)


def resume(work: Work, error: Exception | None = None) -> None:
    """Run it until it waits again: in a Place, or for an asyncio Future."""
    try:
        waits_for = work.throw(error) if error else work.send(None)
    except StopIteration:
        return
    if isinstance(waits_for, Place):
        waits_for.waiting = work
    else:
        waits_for.add_done_callback(lambda _: resume(work))
