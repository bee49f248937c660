"""A retry storm on virtual time: steady load, an inventory that stands still, and comes back.

What stands still keeps what it was sent. When it moves again it works on requests whose callers
left long ago, while those send them anew: with enough retries it never gets back to the living
(N. Bronson et al.: Metastable Failures in Distributed Systems, HotOS 2021).

Nothing here decides anything: callers are in `storm_callers.py`.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

REFUSED = "refused"
TIMED_OUT = "timed out"
ANSWERED = "answered"


class World:
    """A clock that jumps to what happens next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()  # of what happens at the same time: first planned, first
        self._plans: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []

    def after(self, wait_s: float, action: Callable[..., None], *given: object) -> None:
        """Do this, with what is given, when so much time has passed."""
        heapq.heappush(self._plans, (self.now + wait_s, next(self._order), action, given))

    def run(self, until_s: float) -> None:
        """Let everything happen that happens until then."""
        while self._plans and self._plans[0][0] <= until_s:
            self.now, _, action, given = heapq.heappop(self._plans)
            action(*given)
        self.now = until_s


class Attempt:
    """A request on its way to one instance, until the first of answer, refusal and timeout."""

    def __init__(self, until_s: float, ended: Callable[[str], None]) -> None:
        self.until_s = until_s  # when its caller stops waiting
        self._ended = ended
        self._is_over = False

    def end(self, how: str) -> None:
        """How it ends; whatever comes after the first time comes too late."""
        if not self._is_over:
            self._is_over = True
            self._ended(how)


class Door(Protocol):
    """Who refuses at once what would only wait inside."""

    def try_enter(self) -> bool: ...

    def leave(self) -> None: ...


class Instance:
    """Serves one request after the other, each in a random time of a given mean.

    door: None lets everybody in. heeds_deadlines: skips what nobody waits for any more.
    """

    def __init__(
        self, world: World, mean_s: float, rng: Random, door: Door | None, heeds_deadlines: bool
    ) -> None:
        self.in_flight = 0  # as its callers count
        self.attempts: list[float] = []  # when each arrived
        self._world = world
        self._mean_s = mean_s
        self._rng = rng
        self._door = door
        self._heeds_deadlines = heeds_deadlines
        self._waiting: deque[Attempt] = deque()
        self._is_busy = False
        self._stands_still = False

    def arrive(self, attempt: Attempt) -> None:
        """Take it in, or refuse it."""
        self.attempts.append(self._world.now)
        if self._door and not self._door.try_enter():
            attempt.end(REFUSED)
            return
        self._waiting.append(attempt)
        self._serve()

    def stand_still(self) -> None:
        """Begin nothing more."""
        self._stands_still = True

    def move_on(self) -> None:
        """Go on with what has waited longest."""
        self._stands_still = False
        self._serve()

    def _serve(self) -> None:
        while self._waiting and not self._is_busy and not self._stands_still:
            attempt = self._waiting.popleft()
            if self._heeds_deadlines and self._world.now >= attempt.until_s:
                self._let_out()
                continue
            self._is_busy = True
            took_s = self._rng.expovariate(1 / self._mean_s)
            self._world.after(took_s, self._finish, attempt)

    def _finish(self, attempt: Attempt) -> None:
        self._is_busy = False
        self._let_out()
        attempt.end(ANSWERED)
        self._serve()

    def _let_out(self) -> None:
        if self._door:
            self._door.leave()
