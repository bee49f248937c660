"""One end of a contestant: a process inside a host that reports as JSON lines."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from lab import find
from lab.measure import CannotMeasure


class TrialFailed(CannotMeasure):
    """A contestant did not report; the message has what it wrote."""


class Side:
    """A contestant's process; a context manager that never leaves it behind."""

    def __init__(self, prefix: Sequence[str], arguments: Sequence[str]) -> None:
        """Start it: `prefix` is what makes a command run inside a host."""
        module = ["-m", "lab.measure.contestants"]
        self.label = " ".join(arguments[:2])
        self._process = subprocess.Popen(
            [*prefix, sys.executable, *module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=find.child_environment(),
        )

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_until_ready(self, patience_s: float) -> None:
        """Return once it has said that it is ready. Raises TrialFailed if it does not."""
        assert self._process.stdout  # noqa: S101  (a pipe was asked for)
        readable, _, _ = select.select([self._process.stdout], [], [], patience_s)
        if not readable or not self._process.stdout.readline():
            raise TrialFailed(f"{self.label} did not become ready in {patience_s} s{self._said()}")

    def start(self) -> None:
        """Let an active side connect."""
        assert self._process.stdin  # noqa: S101
        self._process.stdin.write(b"start\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Ask a side that has no end of its own to report."""
        self._process.terminate()

    def report(self, patience_s: float) -> dict[str, Any]:
        """Return its report once it ends. Raises TrialFailed if it does not."""
        try:
            said, complained = self._process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired as error:
            raise TrialFailed(f"{self.label} did not end in {patience_s:.0f} s") from error
        lines = said.decode().splitlines()
        if not lines:
            raise TrialFailed(f"{self.label} reported nothing: {complained.decode()[-1000:]}")
        return dict(json.loads(lines[-1]))

    def _said(self) -> str:
        self._process.kill()
        _, complained = self._process.communicate()
        return f": {complained.decode()[-1000:]}" if complained else ""
