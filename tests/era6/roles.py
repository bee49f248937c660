"""A role of the era as a process, warm where the suite starts warm: see lab/warm.py.

`Begun` is for blocking tests, as subprocess.Popen is; `Heard` for asyncio's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from lab import warm

ROOT = Path(__file__).parents[2]
LOOK_S = 0.01


class Begun:
    """It runs, or has run."""

    def __init__(self, arguments: tuple[str, ...], stderr: int, environment: Mapping[str, str]):
        """arguments: ROLE and what follows. stderr: a file's descriptor."""
        ours, theirs = os.pipe()
        self.stdout: IO[str] = open(ours)  # noqa: SIM115  (until `end`)
        command = [sys.executable, "-m", "era6_control_plane", *arguments]
        told = {**os.environ, **environment}
        with open(theirs, "wb") as said, open(os.devnull, "rb") as nothing:
            files = [nothing.fileno(), said.fileno(), stderr]
            self._process = warm.fork(command, files, ROOT, told) or subprocess.Popen(
                command, cwd=ROOT, env=told, stdin=nothing, stdout=said, stderr=stderr
            )
        self.pid = self._process.pid
        self.poll, self.wait, self.kill = (
            self._process.poll,
            self._process.wait,
            self._process.kill,
        )

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """SIGKILL, if it still runs; it is gone when this returns."""
        self.kill()
        self.wait()
        self.stdout.close()


def begin(*arguments: str, stderr: int = subprocess.DEVNULL, **environment: str) -> Begun:
    """`python -m era6_control_plane` with these. stderr: a file's descriptor, or thrown away."""
    if stderr != subprocess.DEVNULL:
        return Begun(arguments, stderr, environment)
    with open(os.devnull, "wb") as nowhere:
        return Begun(arguments, nowhere.fileno(), environment)


class Heard:
    """The same for asyncio: `stdout` and `stderr` are read as they come."""

    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self.pid, self.kill, self.terminate = begun.pid, begun.kill, begun.terminate

    @property
    def returncode(self) -> int | None:
        return self._begun.poll()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        while (code := self._begun.poll()) is None:
            await asyncio.sleep(LOOK_S)
        return code


async def hear(*arguments: str) -> Heard:
    """Begin `python -m era6_control_plane` with these."""
    ours, theirs = os.pipe()
    begun = begin(*arguments, stderr=theirs)
    os.close(theirs)
    heard = Heard(begun)
    heard.stdout = await _reader(begun.stdout)
    heard.stderr = await _reader(open(ours))  # noqa: SIM115  (closed at its end)
    return heard


async def _reader(pipe: IO[str]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader
