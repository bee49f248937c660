"""Blocking code on virtual time: many tasks, of which exactly one runs at any moment.

The shop's own rules block while they wait for an answer, so a task is a thread; but it runs only
when the clockwork says so, and hands back when it waits. So the shop's real code meets kills,
timeouts and late requests, and one seed is one history.
"""

import heapq
import itertools
import threading
from collections.abc import Callable


class Killed(BaseException):
    """The process in which this task ran is no more; `finally` is all that is left to do."""


class Task:
    """A piece of blocking code. Only the clockwork resumes it; only itself parks."""

    def __init__(self, clockwork: "Clockwork", act: Callable[[], None]) -> None:
        self._clockwork = clockwork
        self._act = act
        self._may_go = threading.Semaphore(0)
        self._must_die = False
        self.is_over = False
        threading.Thread(target=self._run, daemon=True).start()

    def resume(self) -> None:
        if not self.is_over:
            self._clockwork.running = self
            self._may_go.release()
            self._clockwork.has_parked.acquire()

    def park(self) -> None:
        """Returns when resumed; raises Killed."""
        self._clockwork.has_parked.release()
        self._may_go.acquire()
        if self._must_die:
            raise Killed

    def kill(self) -> None:
        self._must_die = True
        self.resume()

    def _run(self) -> None:
        self._may_go.acquire()
        try:
            if not self._must_die:
                self._act()
        except Killed:
            pass
        except BaseException as error:  # a task's failure must become the test's
            self._clockwork.errors.append(error)
        self.is_over = True
        self._clockwork.has_parked.release()


class Clockwork:
    """Virtual time in seconds, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.running: Task
        self.has_parked = threading.Semaphore(0)
        self.errors: list[BaseException] = []
        self._todo: list[tuple[float, int, Callable[[], None]]] = []
        self._tickets = itertools.count()

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._todo, (self.now + delay_s, next(self._tickets), act))

    def start(self, act: Callable[[], None]) -> Task:
        """A new task; it begins when whoever starts it parks."""
        task = Task(self, act)
        self.later(0.0, task.resume)
        return task

    def sleep(self, delay_s: float) -> None:
        """Called by a task."""
        task = self.running
        self.later(delay_s, task.resume)
        task.park()

    def run(self) -> None:
        """Returns when nothing is left to happen; raises what a task raised."""
        while self._todo:
            self.now, _, act = heapq.heappop(self._todo)
            act()
            if self.errors:
                raise self.errors[0]


class Answer:
    """What one task waits for and another one gives, if it ever does."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self._waiting: Task | None = None
        self._values: list[object] = []

    def give(self, value: object) -> None:
        """The first counts; what comes when nobody waits any more is lost."""
        self._values.append(value)
        self._clockwork.later(0.0, self._wake)

    def wait(self, timeout_s: float) -> object | None:
        """The value, or None when time is up. Called by one task, before anybody can give."""
        self._waiting = self._clockwork.running
        self._clockwork.later(timeout_s, self._wake)
        self._waiting.park()
        return self._values[0] if self._values else None

    def _wake(self) -> None:
        if self._waiting:
            task, self._waiting = self._waiting, None
            task.resume()
