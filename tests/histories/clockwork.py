"""Blocking code on virtual time: many tasks, of which exactly one runs at any moment.

The shop's own rules block while they wait for an answer, so a task is a greenlet: a stack of its
own within one thread, which runs only when the clockwork says so and hands back when it waits.
So the shop's real code meets kills, timeouts and late requests, and one seed is one history.
"""

import heapq
import itertools
from collections.abc import Callable
from contextlib import suppress

from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """The process in which this task ran is no more; `finally` is all that is left to do."""


class Clockwork:
    """Virtual time in seconds, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._todo: list[tuple[float, int, Callable[[], object]]] = []
        self._tickets = itertools.count()
        self._hub = getcurrent()

    def later(self, delay_s: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._todo, (self.now + delay_s, next(self._tickets), act))

    def start(self, act: Callable[[], object]) -> greenlet:
        """A new task, which begins when whoever starts it waits."""
        task = greenlet(act, self._hub)
        self.later(0.0, lambda: self.resume(task))
        return task

    def resume(self, task: greenlet) -> None:
        if not task.dead:
            task.switch()

    def kill(self, task: greenlet) -> None:
        """Not called by a task: nobody outlives his own process."""
        with suppress(Killed):
            task.throw(Killed)

    def park(self) -> None:
        """The task that calls this waits until it is resumed."""
        self._hub.switch()

    def sleep(self, delay_s: float) -> None:
        task = getcurrent()
        self.later(delay_s, lambda: self.resume(task))
        self.park()

    def run(self) -> None:
        """Returns when nothing is left to happen; raises what a task raised."""
        while self._todo:
            self.now, _, act = heapq.heappop(self._todo)
            act()


class Answer:
    """What one task waits for and another one gives, if it ever does."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self._waiting: greenlet | None = None
        self._values: list[object] = []

    def give(self, value: object) -> None:
        """The first counts; what comes when nobody waits any more is lost."""
        self._values.append(value)
        self._clockwork.later(0.0, self._wake)

    def wait(self, timeout_s: float) -> object | None:
        """The value, or None when time is up. Called by one task, before anybody can give."""
        self._waiting = getcurrent()
        self._clockwork.later(timeout_s, self._wake)
        self._clockwork.park()
        return self._values[0] if self._values else None

    def _wake(self) -> None:
        if self._waiting:
            task, self._waiting = self._waiting, None
            self._clockwork.resume(task)
