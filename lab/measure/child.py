"""A long command as part of a measurement: heard line by line, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from lab import find
from lab.guard import Guard
from lab.measure import CannotMeasure

STOP_S = 5.0
TOLD_LINES = 3


def lines(command: Sequence[str]) -> Iterator[str]:
    """Run `command` and yield what it says, stdout and stderr, a line at a time.

    Its whole process group ends with it, with us, and when the iteration is given up. Raises
    CannotMeasure with its last lines if it fails.
    """
    said: list[str] = []
    with closing(Guard()) as guard:
        process = subprocess.Popen(
            command,
            cwd=find.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=find.child_environment(),
            start_new_session=True,  # so that its group is its own, and Ctrl-C is for us alone
        )
        guard.watch(process.pid)
        try:
            assert process.stdout  # noqa: S101  (a pipe was asked for)
            for line in process.stdout:
                said.append(line.rstrip())
                yield said[-1]
            process.wait()
        finally:
            _end(process)
            guard.forget(process.pid)
    if process.returncode:
        raise CannotMeasure(" ".join(said[-TOLD_LINES:]) or f"exit code {process.returncode}")


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the group to end as Ctrl-C would; kill what is left of it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
