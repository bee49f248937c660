"""The last verdicts on an instance: so many at most, and none older than so many seconds.

Hystrix counts what happened in the last ten seconds, resilience4j the last hundred calls. Both in
one: whichever bound is reached first. The number of calls also bounds the memory.
"""

from collections import deque


class Window:
    """Verdicts as `failed` or not, oldest first."""

    __slots__ = ("_most_calls", "_verdicts", "_window_s", "failures")

    def __init__(self, most_calls: int, window_s: float) -> None:
        self._most_calls = most_calls
        self._window_s = window_s
        self._verdicts: deque[tuple[float, bool]] = deque()  # (when, failed)
        self.failures = 0

    def __len__(self) -> int:
        return len(self._verdicts)

    def add(self, failed: bool, now: float) -> None:
        """Count a verdict; forget those that are too old, or too many."""
        verdicts = self._verdicts
        verdicts.append((now, failed))
        self.failures += failed
        while len(verdicts) > self._most_calls or now - verdicts[0][0] > self._window_s:
            self.failures -= verdicts.popleft()[1]

    def clear(self) -> None:
        """Forget all."""
        self._verdicts.clear()
        self.failures = 0
