"""A role as a real process: started, ready by its own word, killed, paused, started again.

The file is long because these are verbs of one thing, and each must know what the others left.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, TypeVar

from lab.guard import Guard
from lab.held import HeldPorts
from lab.processes import stands_still
from lab.wire.namespaces import Host

READY_S = 15.0  # a loaded machine starts Python slowly
STOP_S = 3.0
SEE_OFF_S = 0.2  # for who is stopped with all the others: no caller is left to be seen off
LOOK_S = 0.001
DRAIN_S = 6.0  # who is asked to end may first finish what it has begun
READY_LINE = re.compile(rb"^\w+ ready at (\S+)\s*$")
LISTENS_LINE = re.compile(rb"^\w+ listens((?: \w+=\S+)+)\s*$")  # who can tell before he is ready
TOLD_LINES = 12


Told = TypeVar("Told", str, dict[str, str])


class RoleFailed(Exception):
    """A role ended or stayed silent instead of getting ready; the message has what it said."""


class Process(Protocol):
    """What a role needs of its process: what `subprocess.Popen` has."""

    @property
    def pid(self) -> int: ...

    @property
    def stdout(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


Starts = Callable[[Sequence[str], Mapping[str, str], Host | None], Process]


def start_cold(
    argv: Sequence[str], environment: Mapping[str, str], host: Host | None = None
) -> Process:
    """A new process in a session of its own, on a real wire in `host`.

    Raises OSError if there is no such program.
    """
    inside = host.argv_prefix(die_with_parent=False) if host else []  # the guard sees to that
    return subprocess.Popen(
        [*inside, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # a group of its own: whatever it starts ends with it
    )


class Role:
    """One role of an era. Its output goes to `log`; `address` is what its ready line says."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        guard: Guard,
        environment: Mapping[str, str],
        host: Host | None = None,
        starts: Starts = start_cold,
        held: HeldPorts | None = None,
    ) -> None:
        """`starts` makes a process of argv, environment and host; another is in `lab.warm`.

        held: keeps its ports, if it is killed, for who is started there after it.
        """
        self.name = name
        self.argv = list(argv)
        self.log = log
        self.address = ""
        self._guard = guard
        self._environment = dict(environment)
        self._host = host
        self._starts = starts
        self._held = held
        self._addresses: list[str] = []  # all that it has told
        self._process: Process | None = None
        self._asked_at = 0.0  # to stop, for the first time
        self._reader: threading.Thread | None = None
        self._ready: queue.Queue[str] = queue.Queue()
        self._listens: queue.Queue[dict[str, str]] = queue.Queue()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running process; ValueError if it was never started."""
        if self._process is None:
            raise ValueError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> str:
        """Start it and wait for its ready line; returns the address. Raises RoleFailed."""
        self.begin()
        return self.wait_ready()

    def begin(self) -> None:
        """The starting alone, so that several can get ready at once. Raises RoleFailed."""
        try:
            self._process = self._starts(self.argv, self._environment, self._host)
        except OSError as error:  # a variant's program that is not installed
            raise RoleFailed(f"{self.name} cannot be started: {error}") from error
        self._asked_at = 0.0
        self._guard.watch(self._process.pid)
        self._ready, self._listens = queue.Queue(), queue.Queue()
        told = (self._process, self._ready, self._listens)
        self._reader = threading.Thread(target=self._read, args=told, daemon=True)
        self._reader.start()

    def wait_ready(self) -> str:
        """Wait for the ready line of the process that was begun; returns the address.

        Raises RoleFailed.
        """
        self.address = self._wait_for(self._ready)
        return self.address

    def wait_listens(self) -> dict[str, str]:
        """The same for the line that tells where it listens, by the names of its listeners."""
        return self._wait_for(self._listens)

    def _wait_for(self, told: queue.Queue[Told]) -> Told:
        try:
            said = told.get(timeout=READY_S)
        except queue.Empty:
            self.kill()
            raise RoleFailed(f"{self.name} was not ready in {READY_S:g} s{self._told()}") from None
        if not said:
            code = self._end(signal.SIGKILL)
            raise RoleFailed(f"{self.name} ended with exit code {code}{self._told()}")
        return said

    def kill(self) -> None:
        """SIGKILL: what a power cut is to a service."""
        self._end(signal.SIGKILL)
        self._hold_ports()

    def stop(self) -> None:
        """Ask it to end; make it end if it does not, or goes on for callers who may still come."""
        self.ask_to_stop()
        self._end(signal.SIGTERM, max(0.0, self._asked_at + SEE_OFF_S - time.monotonic()))

    def terminate(self) -> int:
        """SIGTERM to the process itself, as an orchestrator sends it; returns the exit code.

        Raises RoleFailed if it does not run, or does not end within DRAIN_S.
        """
        self.signal(signal.SIGTERM)
        assert self._process  # noqa: S101  (it runs)
        try:
            self._process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            told = f"{self.name} still ran {DRAIN_S:g} s after SIGTERM{self._told()}"
            raise RoleFailed(told) from None
        code = self._end(signal.SIGKILL)
        self._hold_ports()
        return code

    def signal(self, number: int) -> None:
        """To the process itself, not to what it has started. Raises RoleFailed if it has ended."""
        if not self.is_running:
            raise RoleFailed(f"{self.name} is not running{self._told()}")
        os.kill(self.pid, number)

    def ask_to_stop(self) -> None:
        """The asking alone, so that several can end at once."""
        self._asked_at = self._asked_at or time.monotonic()
        with suppress(RoleFailed):  # it may have ended, or end between the two
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # whoever is paused would not hear

    def pause(self) -> None:
        """SIGSTOP: the process is there and its sockets are open, but nobody is at home. It stands
        still when this returns.
        """
        self._signal(signal.SIGSTOP)
        until = time.monotonic() + STOP_S
        while not stands_still(self.pid) and time.monotonic() < until:
            time.sleep(LOOK_S)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _hold_ports(self) -> None:
        if self._held and not self._host:  # in a host of its own nobody else takes any
            self._held.hold(self._addresses)

    def _signal(self, number: int) -> None:
        if not self.is_running:
            raise RoleFailed(f"{self.name} is not running{self._told()}")
        os.killpg(self.pid, number)

    def _end(self, number: int, within_s: float = STOP_S) -> int:
        """Signal the group, see it off; returns the exit code, 0 of what never ran."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            code = process.wait(within_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        self._guard.forget(process.pid)
        if self._reader:
            self._reader.join(STOP_S)
        return code

    def _read(
        self,
        process: Process,
        ready: queue.Queue[str],
        listens: queue.Queue[dict[str, str]],
    ) -> None:
        assert process.stdout  # noqa: S101  (a pipe was asked for)
        with process.stdout, self.log.open("ab") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                said = READY_LINE.match(line)
                if said:
                    self._addresses.append(said[1].decode())
                    ready.put(said[1].decode())
                said = LISTENS_LINE.match(line)
                if said:
                    pairs = said[1].decode().split()
                    listeners = dict(pair.split("=", 1) for pair in pairs)
                    self._addresses += listeners.values()
                    listens.put(listeners)
        ready.put("")
        listens.put({})

    def _told(self) -> str:
        if self._reader:
            self._reader.join(STOP_S)
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "; it said:\n  " + "\n  ".join(lines[-TOLD_LINES:]) if lines else "; it said nothing"

    def __repr__(self) -> str:
        state = f"pid {self.pid} at {self.address}" if self.is_running else "not running"
        return f"<Role {self.name} {state}>"
