"""Does the application live? It is asked, as it does not tell.

It need not know that it is asked: any answer but a failure of its own (5xx) is a sign of life. One
silence is an accident, two are a rule; one good answer heals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from era5_sidecar.asking import ask_status

SICK_AFTER = 2  # failures in a row
TIMEOUT_S = 1.0
STARTING_EVERY_S = 0.02  # until it has answered for the first time: somebody waits for that


class Pulse:
    """What the answers, one after the other, mean."""

    def __init__(self) -> None:
        self.is_well = False
        self._failures = 0

    def hear(self, is_good: bool) -> bool:
        """One answer; whether it changes the verdict."""
        before = self.is_well
        self._failures = 0 if is_good else self._failures + 1
        if is_good or self._failures >= SICK_AFTER:
            self.is_well = is_good
        return self.is_well is not before

    def __repr__(self) -> str:
        return f"<Pulse {'well' if self.is_well else 'sick'}, {self._failures} failures>"


class Health:
    """Asks one application for ever."""

    def __init__(
        self,
        app: str,
        path: str,
        every_s: float,
        on_change: Callable[[bool], Awaitable[None]],
        say: Callable[[str], None],
    ) -> None:
        """app: unix:PATH or http://IP:PORT. on_change: told whether it is well, when that changes;
        if it raises ValueError, that is said, and it is told again at the next answer.
        """
        self._app = app
        self._path = path
        self._every_s = every_s
        self._on_change = on_change
        self._say = say
        self._pulse = Pulse()
        self._is_told = True  # of what the pulse says: at first it is not well
        self._was_well = False
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def is_well(self) -> bool:
        """Whether the application is believed to live."""
        return self._pulse.is_well

    async def start(self) -> None:
        """Begins to ask."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Asks no more."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self.ask_once()
            await asyncio.sleep(self._every_s if self._was_well else STARTING_EVERY_S)

    async def ask_once(self) -> None:
        """One question, and whatever follows from the answer."""
        if self._pulse.hear(await self._is_good()):
            self._is_told = False
            self._say(f"app {self._app}: {'answers' if self.is_well else 'does not answer'}")
        if self._is_told:
            return
        try:
            await self._on_change(self.is_well)
        except ValueError as error:
            self._complain(str(error))
            return
        self._is_told, self._complaint = True, ""
        self._was_well = self._was_well or self.is_well

    async def _is_good(self) -> bool:
        try:
            return await ask_status(self._app, self._path, TIMEOUT_S) < 500
        except (OSError, ValueError):
            return False

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._say(complaint)
        self._complaint = complaint

    def __repr__(self) -> str:
        return f"<Health of {self._app}: {self._pulse!r}>"
