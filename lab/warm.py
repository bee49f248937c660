"""Warm starts, for the test suite alone: roles forked from a process that has their imports.

A role of an HTTP era imports flask, requests, waitress and more, and makes a hundred dataclasses:
a third of a second of processor time, in five processes a stage, in era 5 in ten; one of an earlier
era, or the wire, a tenth. Here `lab.zygote` has done that, and forks, also into the hosts of a real
wire, and with no more rights there than a cold start leaves. A role is still a process like any
other: own pid, session and group, signals, exit code, output. What it runs is what is on disk then,
see own_modules.py. What differs from a cold start: all have one seed of `hash()`; limits, umask and
the command line in `ps` are the zygote's.

Off unless somebody switches it on, which only tests/conftest.py does: what is shown or measured
starts cold. The file is long because it is the whole of our side: a process, and who forks it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from lab import zygote
from lab.find import eras
from lab.launch import Process, start_cold
from lab.wire.divert import wished
from lab.wire.namespaces import Host

ASKING_S = 15.0  # for the first role it imports all libraries, on a loaded machine
ANSWER_BYTES = 16  # a pid, or an exit code
LOOK_S = 0.05  # how long who waits for an end keeps others from looking
LIBRARIES = {name.partition(".")[0] for name in zygote.LIBRARIES} | {"envoy", "google", "grpc"}
ROLES = (  # modules of an era, if there
    *("registry", "inventory", "orders", "supervisor", "life"),
    *("pilot", "agent", "sidecar", "proxy"),
)
WIRES = ("lab.wire.portable", "lab.wire.pump", "lab.wire.hold", "lab.wire.trace", "lab.relay.shell")
OF_THE_ROLE = ("PYTHONPATH", "PYTHONSAFEPATH")  # all else of PYTHON... is read as Python starts
READ_EARLY = ("PYTHON", "GRPC_", "PROTOCOL_BUFFERS_", "TEMPORARILY_DISABLE_PROTOBUF_")
UNSET = {"GRPC_VERBOSITY": "NONE"}  # as era 6 has it where nobody says otherwise


class WarmProcess:
    """A process that the zygote forked, handled as `subprocess.Popen` is."""

    stdout: IO[bytes] | None = None  # who reads it closes it

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._line = line
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code, negative the signal that ended it; None while it runs."""
        return self._hear(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired after so many s."""
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self._hear(LOOK_S)) is None:
            if timeout is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"role {self.pid}", timeout)
        return code

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.poll() is None:  # until that is known its number is its own
            os.kill(self.pid, signal.SIGKILL)

    def _hear(self, within_s: float) -> int | None:
        with self._lock:
            if self.returncode is not None:
                return self.returncode
            self._line.settimeout(within_s)
            try:
                told = self._line.recv(ANSWER_BYTES)
            except (BlockingIOError, TimeoutError):
                return None
            self._line.close()  # only now its number may become somebody else's
            self.returncode = int(told) if told else self._kill_orphan()
            return self.returncode

    def _kill_orphan(self) -> int:
        """The zygote has died, and nobody will say how this role ends: so it ends now."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return -signal.SIGKILL


class WarmStarts:
    """Has a zygote from the first role on. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = interpreter_settings(os.environ)
        self._is_usable = sys.platform == "linux"

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], host: Host | None = None
    ) -> Process:
        """Warm if this is `python -m`, and a fork would be the same; cold if not, or if the
        zygote has died. Raises OSError if a cold start does.
        """
        output, their_output = os.pipe()
        with open(os.devnull, "rb") as nothing, open(their_output, "wb") as theirs:
            files = [nothing.fileno(), theirs.fileno(), theirs.fileno()]
            forked = self.fork(argv, environment, files, host=host)
        if forked is None:
            os.close(output)
            return start_cold(argv, environment, host)
        forked.stdout = open(output, "rb")  # noqa: SIM115
        return forked

    def fork(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[int],
        *,
        folder: Path | None = None,
        host: Host | None = None,
    ) -> WarmProcess | None:
        """With these as its stdin, stdout and stderr, and what follows under its own number.

        None if it must be started cold.
        """
        wish, argv = wished(argv)
        if argv[:2] != [sys.executable, "-m"] or not self._would_be_same(environment):
            return None
        if not self._is_usable:
            return None
        asked = {
            "package": argv[2],
            "arguments": argv[3:],
            "environment": dict(environment),
            "folder": str(folder or os.getcwd()),
            "host_pid": host.pid if host else 0,
            "wish": wish,
            "numbers": [0, 1, 2, *files[3:]],
        }
        try:
            return self._ask(asked, files)
        except OSError:
            self._is_usable = False
            return None

    def close(self) -> None:
        """End the zygote and who is left of its roles. May be called twice."""
        if self._control and self._process:
            self._control.close()
            self._process.wait()

    @property
    def pid(self) -> int | None:
        """Of the zygote; None before the first role."""
        return self._process.pid if self._process else None

    def _would_be_same(self, environment: Mapping[str, str]) -> bool:
        if interpreter_settings(environment) != self._settings:
            return False
        places = environment.get("PYTHONPATH", "").split(os.pathsep)
        names = {path.stem for place in filter(None, places) for path in Path(place).glob("*")}
        return names.isdisjoint(LIBRARIES)  # a release may bring its own

    def _ask(self, asked: Mapping[str, object], files: Sequence[int]) -> WarmProcess:
        """Raises OSError if the zygote is not there, or does not answer."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:  # left open we would not see that the zygote has died
                message = [json.dumps(asked).encode()]
                socket.send_fds(self._asked(), message, [theirs.fileno(), *files])
            ours.settimeout(ASKING_S)
            told = ours.recv(ANSWER_BYTES)
            if not told:
                raise BrokenPipeError("the zygote has died")
        except OSError:
            ours.close()
            raise
        return WarmProcess(int(told), ours)

    def _asked(self) -> socket.socket:
        """Where the zygote is asked; the zygote is started for the first who asks."""
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                environment = {k: v for k, v in os.environ.items() if k not in OF_THE_ROLE}
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, "-P", zygote.__file__, *own_modules()],
                        stdin=theirs.fileno(),
                        stdout=subprocess.DEVNULL,
                        env=environment,
                        start_new_session=True,  # Ctrl-C is not for the zygote: it ends with us
                    )
            return self._control


def interpreter_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python, and gRPC as it is imported, read of their environment before a role runs."""
    early = (name for name in environment if name.startswith(READ_EARLY))
    return UNSET | {name: environment[name] for name in early if name not in OF_THE_ROLE}


def own_modules() -> list[str]:
    """Those that roles and wires import: nearly all of an era comes with them."""
    files = [(era, era.folder / f"{role}.py") for era in eras() for role in ROLES]
    return [*(f"{era.package}.{file.stem}" for era, file in files if file.exists()), *WIRES]


_shared: WarmStarts | None = None


def switch_on() -> None:
    """From now on, in this process."""
    global _shared
    _shared = _shared or WarmStarts()


def switch_off() -> None:
    """Start cold again; ends the zygote."""
    global _shared
    if _shared:
        _shared.close()
    _shared = None


def start(argv: Sequence[str], environment: Mapping[str, str], host: Host | None = None) -> Process:
    """For `lab.launch.Role`: warm if it is switched on and possible, cold else."""
    starts = _shared.start if _shared else start_cold
    return starts(argv, environment, host)


def fork(
    argv: Sequence[str],
    files: Sequence[int],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
) -> WarmProcess | None:
    """For the wire's process: see `WarmStarts.fork`; None also if it is not switched on."""
    return _shared.fork(argv, environment, files, folder=folder) if _shared else None
