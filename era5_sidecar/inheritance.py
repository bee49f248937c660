"""What a proxy inherits: its listening sockets, and a line to whoever keeps it.

The sockets come as systemd hands them over (sd_listen_fds), so that a restart or an upgrade of the
proxy leaves no moment in which nobody listens. Started by hand, there is nothing to inherit.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

FIRST = 3  # SD_LISTEN_FDS_START
NOTIFY = "ERAS_NOTIFY_FD"
AGAIN = "ERAS_STARTED_AGAIN"  # set for a proxy in the place of one that has died
READY, ALIVE = b"READY=1\n", b"ALIVE=1\n"


def listeners() -> dict[str, socket.socket]:
    """The listening sockets by name (inbound, outbound, admin); none if they were not meant for us.

    Raises ValueError if the variables make no sense. They are taken away: children of ours have no
    such sockets.
    """
    told = [os.environ.pop(f"LISTEN_{each}", "") for each in ("PID", "FDS", "FDNAMES")]
    pid, count, names = told
    if not count or pid != str(os.getpid()):
        return {}
    found = {}
    for number, name in enumerate(names.split(":")[: int(count)], FIRST):
        os.set_inheritable(number, False)
        found[name] = socket.socket(fileno=number)
        found[name].setblocking(False)
    return found


class Notice:
    """The line to the supervisor: we say when we are ready; it ends when the supervisor does."""

    def __init__(self, number: int) -> None:
        """number: of the descriptor; -1: nobody keeps us."""
        self._number = number
        if number >= 0:
            os.set_inheritable(number, False)
            os.set_blocking(number, False)  # a suspended supervisor must not suspend us

    @classmethod
    def from_environment(cls) -> Notice:
        """The one that the environment names, if it names one."""
        number = os.environ.pop(NOTIFY, "")
        return cls(int(number) if number.isdigit() else -1)

    def fileno(self) -> int:
        """Readable when the supervisor has gone: then it is time to go, too."""
        return self._number

    def ready(self) -> None:
        """Connections are being served, or a changed file is in force."""
        self._tell(READY)

    def alive(self) -> None:
        """To be said now and then, more often than [supervisor] patience_s.

        The supervisor also asks at the admin address, but that needs a new connection: one who has
        no descriptor left for it is not dead.
        """
        self._tell(ALIVE)

    def _tell(self, what: bytes) -> None:
        if self._number >= 0:
            with suppress(OSError):  # it has gone, or does not listen
                os.write(self._number, what)

    def __repr__(self) -> str:
        return f"<Notice {self._number}>"
