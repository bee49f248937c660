"""The handle of a caller (`standins/caller.py`): asks it for a number of calls, hears the times."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lab.find import child_environment
from lab.measure import CannotMeasure


@dataclass(frozen=True)
class Calls:
    """A block of calls: what each took, and what CPU all of them cost their caller."""

    took_s: Sequence[float]
    cpu_s: float


class Asker:
    """A process that calls. It ends with the `with` block, and when it hears that we have ended."""

    def __init__(self, options: Sequence[str], environment: Mapping[str, str]) -> None:
        """`options` as `standins/caller.py` says; `environment` is added to ours."""
        self._label = options[0]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.measure.standins.caller", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**child_environment(), **environment},
            start_new_session=True,  # Ctrl-C is for us alone
        )

    def call(self, count: int) -> Calls:
        """Let it make so many calls, one after another. Raises CannotMeasure if one fails."""
        assert self._process.stdin and self._process.stdout  # noqa: S101  (pipes were asked for)
        try:
            self._process.stdin.write(f"{count}\n")
            self._process.stdin.flush()
            told = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError) as error:
            raise CannotMeasure(f"caller {self._label} ended: {self._last_words()}") from error
        return Calls(told["took_s"], told["cpu_s"])

    def _last_words(self) -> str:
        self._process.kill()
        assert self._process.stderr  # noqa: S101
        return " ".join(self._process.stderr.read().split("\n")[-2:])

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe  # noqa: S101
            with suppress(BrokenPipeError):  # what could not be written to a caller that failed
                pipe.close()
        self._process.wait()
