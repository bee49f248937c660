"""Starts a proxy with the sockets that it inherits, in the way of systemd (sd_listen_fds(3)).

subprocess can hand descriptors down, but not under chosen numbers, and LISTEN_PID must name a
process that does not exist yet: so fork, arrange, exec. One thread, so nothing is torn by forking.
"""

import fcntl
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from era5_sidecar.inheritance import FIRST, NOTIFY

OUT_OF_THE_WAY = 64  # above any number that is being filled
CANNOT_EXECUTE = 126  # as shells have it


def launch(
    command: Sequence[str],
    listeners: Mapping[str, socket.socket],
    notice: socket.socket,
    release: str,
    told: Mapping[str, str],
) -> int:
    """The process id of a new proxy: `listeners` from descriptor 3 on, then `notice`.

    release: a folder whose packages come before all others; empty: those that we have too.
    told: more of its environment.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            _become(command, listeners, notice, _environment(release) | dict(told), blocked)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _become(
    command: Sequence[str],
    listeners: Mapping[str, socket.socket],
    notice: socket.socket,
    environment: Mapping[str, str],
    blocked: set[int],
) -> None:
    """In the child: never returns, whatever happens."""
    try:
        signal.set_wakeup_fd(-1)  # it is the parent's, whom our signals must not reach
        for each_signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(each_signal, signal.SIG_DFL)
        descriptors = [each.fileno() for each in (*listeners.values(), notice)]
        aside = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY) for each in descriptors]
        for number, each in enumerate(aside, FIRST):
            os.dup2(each, number)
        environment = dict(environment) | {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(listeners)),
            "LISTEN_FDNAMES": ":".join(listeners),
            NOTIFY: str(FIRST + len(listeners)),
        }
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)  # exec would keep the mask
        os.execve(command[0], list(command), environment)  # noqa: S606
    except OSError as error:
        os.write(2, f"sidecar: cannot start {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_EXECUTE)


def _environment(release: str) -> dict[str, str]:
    environment = dict(os.environ)
    if release:
        # the folder in which we were started would come before PYTHONPATH: -P of python
        ours = str(Path(__file__).resolve().parents[1])
        paths = [release, ours, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environment["PYTHONSAFEPATH"] = "1"
    return environment
