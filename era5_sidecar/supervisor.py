"""Keeps a proxy alive, and its listening sockets open whatever becomes of it.

The sockets are opened here, once, and every proxy inherits them (inheritance.py): one that is
killed, or replaced by its next version, leaves no moment in which a connection is refused. They
only wait a little longer. supervision.py decides; this acts. It does nearly nothing and must never
die, so it imports nearly nothing. Whatever it does to a proxy stands in this one, longer file.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from era5_sidecar.inheritance import AGAIN, READY
from era5_sidecar.launching import launch
from era5_sidecar.listening import listener_at, url_of
from era5_sidecar.probing import Probes
from era5_sidecar.supervision import Supervision
from era5_sidecar.supervision_actions import (
    Action,
    Announce,
    End,
    Limits,
    Probe,
    Say,
    Signal,
    Start,
)
from era5_sidecar.supervisor_config import read

NAMES = ("inbound", "outbound", "admin")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)


class Supervisor:
    """Acts as supervision.py decides."""

    def __init__(
        self,
        config: Path,
        limits: Limits,
        listeners: Mapping[str, socket.socket],
        command: Sequence[str],
        on_first: Callable[[], None],
        mark: int = 0,
    ) -> None:
        """command: starts a proxy. on_first: called when the first one serves. mark: of what we
        ask a proxy through, see transparent.py.
        """
        self._config = config
        self._listeners = listeners
        self._command = command
        self._on_first = on_first
        self._supervision = Supervision(limits)
        self._release = ""  # of the proxy that serves
        self._has_served = False
        self._releases: dict[int, str] = {}  # of each that runs
        self._pids: dict[int, int] = {}
        self._notices: dict[int, socket.socket] = {}
        self._code: int | None = None
        self._selector = selectors.DefaultSelector()
        admin = listeners["admin"].getsockname()
        self._probes = Probes(self._selector, admin, self._supervision.heard, mark)

    def run(self, release: str) -> int:
        """Until the end; returns the exit code. release: of the first proxy."""
        self._release = release
        self._listen_to_signals()
        self._act(self._supervision.begin(time.monotonic()))
        while self._code is None:
            wait_s = self._supervision.wakes_at() - time.monotonic()
            for key, _ in self._selector.select(min(max(wait_s, 0.0), 3600.0)):
                key.data(key.fileobj)
            self._act(self._supervision.tick(time.monotonic()))
        return self._code

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        if isinstance(action, Start):
            is_again = self._has_served and not action.is_upgrade
            release = self._wanted() if action.is_upgrade else self._release
            self._start(action.proxy, release, {AGAIN: "yes"} if is_again else {})
        elif isinstance(action, Signal):
            os.kill(self._pids[action.proxy], getattr(signal, f"SIG{action.name}"))
        elif isinstance(action, Probe):
            self._probes.ask()
        elif isinstance(action, Say):
            _say(action.line)
        elif isinstance(action, Announce):
            self._release = self._releases[action.proxy]
            self._has_served = True
            if action.is_first:
                with suppress(OSError):  # nobody reads what we print any more
                    self._on_first()
        elif isinstance(action, End):
            self._code = action.code

    def _wanted(self) -> str:
        """The release that the file names now."""
        try:
            return read(self._config).release
        except (OSError, ValueError) as error:
            _say(f"refused: {error}")
            return self._release  # with which the new proxy will refuse it, too

    def _start(self, proxy: int, release: str, told: Mapping[str, str]) -> None:
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                self._pids[proxy] = launch(self._command, self._listeners, theirs, release, told)
        except OSError as error:  # no more processes or files: try again like after a death
            _say(f"cannot start a proxy: {error.strerror}")
            self._act(self._supervision.exited(proxy, 1, time.monotonic()))
            return
        self._releases[proxy], self._notices[proxy] = release, ours
        self._selector.register(ours, selectors.EVENT_READ, lambda _: self._hear_notice(proxy))

    def _hear_notice(self, proxy: int) -> None:
        notice = self._notices.get(proxy)
        if notice is None:
            return  # buried in this same turn
        with suppress(OSError):
            if told := notice.recv(4096):
                self._be_told(proxy, told)
                return
        self._selector.unregister(notice)  # it has ended, and SIGCHLD tells how

    def _be_told(self, proxy: int, told: bytes) -> None:
        """A proxy lives; or it serves, or has taken the file anew: so the file is right for us."""
        self._supervision.heard(proxy)
        if READY not in told:
            return
        with suppress(OSError, ValueError):
            self._supervision.limits = read(self._config).limits
        self._act(self._supervision.ready(proxy, time.monotonic()))

    def _reap(self) -> None:
        for proxy, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._bury(proxy)
                code = os.waitstatus_to_exitcode(status)
                self._act(self._supervision.exited(proxy, code, time.monotonic()))

    def _bury(self, proxy: int) -> None:
        del self._pids[proxy], self._releases[proxy]
        notice = self._notices.pop(proxy)
        with suppress(KeyError):
            self._selector.unregister(notice)
        notice.close()

    def _listen_to_signals(self) -> None:
        ours, self._wakeup = socket.socketpair()
        ours.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno())
        self._selector.register(ours, selectors.EVENT_READ, self._hear_signals)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: None)  # the byte at `ours` is what counts

    def _hear_signals(self, ours: Any) -> None:
        for number in ours.recv(4096):
            self._act(self._on_signal(number))

    def _on_signal(self, number: int) -> list[Action]:
        if number == signal.SIGCHLD:
            self._reap()
            return []
        if number == signal.SIGHUP:
            return self._supervision.reload()
        if number == signal.SIGUSR2:
            return self._supervision.upgrade(time.monotonic())
        return self._supervision.stop(time.monotonic())


def main(config: Path, ready: Callable[[str], None], command: Sequence[str] = ()) -> None:
    """Runs a sidecar until it is stopped; `ready` is told where the first proxy serves.

    command: what to start instead of our proxy, for tests. Ends with SystemExit; raises ValueError
    or OSError if it cannot start.
    """
    told = read(config)
    listeners = {name: listener_at(address) for name, address in told.listens.items()}
    urls = {name: url_of(each) for name, each in listeners.items()}
    shown = " ".join(f"{name}={urls.get(name, 'none')}" for name in NAMES)
    print(f"sidecar listens {shown}\n", end="", flush=True)
    ours = [sys.executable, "-m", "era5_sidecar", "proxy", "--config", str(config)]
    on_first = partial(ready, urls["inbound"])
    supervisor = Supervisor(config, told.limits, listeners, command or ours, on_first, told.mark)
    sys.exit(supervisor.run(told.release))


def _say(line: str) -> None:
    with suppress(OSError):  # nobody listens, and the proxy is still to be kept
        print(f"sidecar: {line}\n", end="", file=sys.stderr, flush=True)
