"""Nothing outlives us: a process that waits for our end, however it comes, and then kills.

It holds the reading end of a pipe, and is `lab/watch.py`. Each line names a process group:
`+ 123` is under guard, `- 123` has ended. When the pipe closes, because we are done or because we
were killed, whoever is still under guard is killed. This works on every Unix and from every thread,
where Linux' PR_SET_PDEATHSIG watches only the thread that forked.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

WATCH = Path(__file__).with_name("watch.py")


class Guard:
    """Kills the process groups it was told of when we end. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCH)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not for the guard: it must see us out
        )

    def watch(self, group: int) -> None:
        """From now on the processes of this group die with us."""
        self._tell("+", group)

    def forget(self, group: int) -> None:
        """The group has ended; its number may soon belong to a stranger."""
        self._tell("-", group)

    def close(self) -> None:
        """Kill what is still watched. May be called twice."""
        self._process.communicate()

    def _tell(self, sign: str, group: int) -> None:
        assert self._process.stdin  # noqa: S101  (a pipe was asked for)
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{sign} {group}\n".encode())
            self._process.stdin.flush()
