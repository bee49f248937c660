"""The process of `lab.guard`: reads until the pipe closes, then kills.

One starts with every stage, so it imports next to nothing.
"""

import contextlib
import os
import signal
import sys


def keep_watch() -> None:
    """Each line of standard input names a process group: `+ 123` is under guard, `- 123` ended."""
    watched = set()
    for line in sys.stdin.buffer:
        sign, group = line.split()
        if sign == b"+":
            watched.add(int(group))
        else:
            watched.discard(int(group))
    for doomed in watched:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(doomed, signal.SIGKILL)


if __name__ == "__main__":
    keep_watch()
