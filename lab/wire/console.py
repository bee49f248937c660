"""A process of the lab under command: JSON lines over one socket, which is also its lifeline."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import warm
from lab.wire.knobs import KnobError
from lab.wire.namespaces import is_main_thread

REPOSITORY = Path(__file__).parents[2]
STOP_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 15.0  # a command takes milliseconds, but a loaded machine starts Python slowly


class WireError(RuntimeError):
    """The wire's process ended, refused to start, or does not answer."""


class Console:
    """Starts `python -m MODULE ...` and talks to it. Threads may share it.

    The process reads commands from its stdin and ends when that does, so it cannot outlive us.
    """

    def __init__(self, module: str, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        """Wait until it says that it is ready; `ready` is what it said. Raises WireError."""
        self._lock = threading.Lock()
        ours, its_end = socket.socketpair()
        argv = [sys.executable, "-m", module, *arguments]
        with its_end:
            line = its_end.fileno()
            warm_process = warm.fork(argv, [line, line, 2, *pass_fds], REPOSITORY)
            self._process = warm_process or start_cold(argv, line, pass_fds)
        self.pid = self._process.pid
        self._socket = ours
        self._lifeline = ours.makefile("rwb")
        try:
            self.ready = self._read_answer()
        except WireError:
            self.close()
            raise
        except BaseException:  # Ctrl-C: it must not start into a folder that will be gone
            self._process.kill()
            self.close()
            raise

    def ask(self, command: dict[str, Any]) -> Any:
        """Send a command; return its answer. Raises KnobError if it refuses.

        Raises WireError if the process is gone, or is silent for ANSWER_TIMEOUT_S: then it is
        ended, as its late answer must not be taken for the next command's.
        """
        with self._lock:
            try:
                self._lifeline.write(json.dumps(command).encode() + b"\n")
                self._lifeline.flush()
            except (OSError, ValueError) as gone:
                raise WireError("the wire's process has ended") from gone
            answer = self._read_answer()
        if "error" in answer:
            raise KnobError(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        """End the process. May be called twice."""
        with contextlib.suppress(OSError):  # the last command may never have been read
            self._lifeline.close()
        self._socket.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_answer(self) -> dict[str, Any]:
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        try:
            answer: dict[str, Any] = json.loads(self._lifeline.readline() or b"{}")
        except TimeoutError as silent:
            self._process.kill()
            raise WireError(
                f"the wire's process was silent for {ANSWER_TIMEOUT_S:g} s, and was ended"
            ) from silent
        except OSError:
            answer = {}
        if not answer:
            raise WireError("the wire's process has ended; its stderr says why")
        return answer


def start_cold(argv: Sequence[str], line: int, pass_fds: Sequence[int]) -> subprocess.Popen[bytes]:
    """A new process with `line` as its stdin and stdout, which inherits `pass_fds`."""
    return subprocess.Popen(
        [*argv, *(["--die-with-parent"] if is_main_thread() else [])],
        stdin=line,
        stdout=line,
        pass_fds=pass_fds,
        cwd=REPOSITORY,
        start_new_session=True,  # Ctrl-C is for us; we end the process when we are done
    )
