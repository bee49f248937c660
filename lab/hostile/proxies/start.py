"""A proxy as a process: started, listening, ended however the run ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.find import child_environment
from lab.guard import Guard

READY_S = 15.0
POLL_S = 0.02
END_S = 3.0


class Missing(Exception):
    """This proxy is not here, or does not start; the message says what it takes."""


@dataclass(frozen=True)
class Limits:
    """How patient a proxy is: with a client's head, a body's silence, an upstream's answer."""

    head_s: float
    body_s: float
    answer_s: float


ORDINARY = Limits(head_s=10.0, body_s=10.0, answer_s=10.0)
SHORT = Limits(head_s=0.3, body_s=0.3, answer_s=0.4)


@dataclass(frozen=True)
class Plan:
    """What a proxy is told: where to listen, who is behind it, where its files may lie."""

    port: int
    upstream_port: int
    limits: Limits
    folder: Path


Starts = Callable[[Plan], list[str]]  # writes its configuration; returns the command; Missing


@contextlib.contextmanager
def running(
    starts: Starts, upstream_port: int, limits: Limits = ORDINARY
) -> Iterator[tuple[str, int]]:
    """The proxy in front of that port while the block runs; gives its address. Raises Missing."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        plan = Plan(free_port(), upstream_port, limits, folder)
        guard = Guard()
        stack.callback(guard.close)
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            starts(plan),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=child_environment(),
            cwd=folder,
            start_new_session=True,
        )
        guard.watch(process.pid)
        stack.callback(_end, process, guard)
        _wait(process, plan)
        yield "127.0.0.1", plan.port


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], plan: Plan) -> None:
    """Until it serves. It may listen before it is ready to send anything on."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        if _serves(plan.port):
            return
        time.sleep(POLL_S)
    told = (plan.folder / "log").read_text(errors="replace")[-2000:]
    raise Missing(f"{process.args!r} does not serve; it said:\n{told}")


def _serves(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as asking:
        asking.sendall(b"GET /open/probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return asking.recv(100).startswith(b"HTTP/1.1 200")
    return False


def _end(process: subprocess.Popen[bytes], guard: Guard) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    guard.forget(process.pid)
