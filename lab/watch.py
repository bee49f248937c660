"""The process of `lab.guard`: reads until the pipe closes, then kills.

One starts with every stage, so it imports nothing that Python has not imported anyway.
"""

import os
import sys

SIGKILL = 9  # of POSIX; to import signal or contextlib takes as long as to start


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
        try:
            os.killpg(doomed, SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    keep_watch()
