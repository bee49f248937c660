"""The two services of an era as processes, on loopback and without a wire between them.

They are forked as the roles of a stage are (`lab.warm`), and end with us however we end.
"""

import functools
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from era0_naive import counter
from lab import warm
from lab.guard import Guard
from lab.launch import Process

READY_S = 15.0
FEWEST_FILES = 256  # what macOS lets a process open unless it is told otherwise
LISTEN = {
    "era0_naive": "udp://127.0.0.1:0",
    "era1_raw_network": "udp://127.0.0.1:0",
    "era2_tcp": "tcp://127.0.0.1:0",
}
ERAS = list(LISTEN)


class Spawned:
    """A process and what it says, as text; killed at the end of the `with` if it still runs."""

    def __init__(self, process: Process, stdout: int, stderr: int) -> None:
        self.pid = process.pid
        self.stdout = open(stdout)  # noqa: SIM115
        self.stderr = open(stderr)  # noqa: SIM115
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        return self._process.wait(timeout)

    def send_signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it has said, once it has ended. Raises subprocess.TimeoutExpired."""
        self._process.wait(timeout)
        return self.stdout.read(), self.stderr.read()

    def __enter__(self) -> "Spawned":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        guard().forget(self.pid)
        self.stdout.close()
        self.stderr.close()


@functools.cache
def guard() -> Guard:
    """Of the processes that are started cold: the others' zygote ends with us."""
    return Guard()


def spawn(package: str, *arguments: object, files: int = 0) -> Spawned:
    """files: how many the process may have open at once; 0: as many as we."""
    command = [sys.executable, "-m", package, *map(str, arguments)]
    said, complaint = os.pipe(), os.pipe()
    with (
        open(os.devnull, "rb") as nothing,
        open(said[1], "wb") as stdout,
        open(complaint[1], "wb") as stderr,
    ):
        ends = [nothing.fileno(), stdout.fileno(), stderr.fileno()]
        forked = None if files else warm.fork(command, ends, Path.cwd())
        process = forked or start_cold(command, ends, files)
    return Spawned(process, said[0], complaint[0])


def start_cold(command: list[str], ends: list[int], files: int) -> subprocess.Popen[bytes]:
    if files:
        command = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *command]
    stdin, stdout, stderr = ends
    process = subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )
    guard().watch(process.pid)
    return process


def refused(package: str, *arguments: object) -> str:
    """What a role says that cannot start: one line, exit code 2."""
    with spawn(package, *arguments) as process:
        try:
            told, complaint = process.communicate(timeout=READY_S)
        finally:
            process.kill()
    assert (process.returncode, told) == (2, ""), complaint
    assert complaint.count("\n") == 1, complaint
    return complaint


@contextmanager
def role(package: str, *arguments: object, files: int = 0):
    """A role that runs, and its address. Killed at the end if it still does."""
    with spawn(package, *arguments, files=files) as process:
        try:
            assert select.select([process.stdout], [], [], READY_S)[0], "not ready in time"
            line = process.stdout.readline()
            name, _, address = line.strip().partition(" ready at ")
            assert name == arguments[0], line + process.stderr.read()
            yield process, address
        finally:
            process.kill()


@contextmanager
def inventory(package: str, folder: Path, listen: str = "", files: int = 0):
    listen = listen or LISTEN[package]
    own = ["--listen", listen, "--store", folder / "stock.db"]
    with role(package, "inventory", *own, files=files) as running:
        yield running


@contextmanager
def orders(package: str, folder: Path, address: str, files: int = 0):
    desk = ["--store", folder / "book.db", "--counter", folder / "c"]
    with role(package, "orders", "--inventory", address, *desk, files=files) as running:
        yield running


@contextmanager
def both(package: str, folder: Path, files: int = 0):
    """The two processes: (inventory, orders, inventory's address)."""
    with (
        inventory(package, folder, files=files) as (stock, address),
        orders(package, folder, address, files) as (desk, _),
    ):
        yield stock, desk, address


def wait_until_open(pid: int, files: int) -> None:
    """Until the process has so many files open (Linux)."""
    deadline = time.monotonic() + READY_S
    while len(os.listdir(f"/proc/{pid}/fd")) < files:
        assert time.monotonic() < deadline, "it never had so many files open"
        time.sleep(0.005)


def ask(folder: Path, operation: object, timeout_s: float = 20.0) -> dict:
    text = operation if isinstance(operation, str) else json.dumps(operation)
    return json.loads(counter.ask(folder / "c", text, timeout_s))


def order(order_id: str, quantity: object = 1, sku: object = "sku-0001") -> dict:
    return {"op": "place", "order_id": order_id, "sku": sku, "quantity": quantity}
