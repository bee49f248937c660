"""The ports of a role that was killed stay its own: it is to come back there.

Whoever connects somewhere, or listens at any port, is given a port that nobody has; and among
hundreds of processes that come and go somebody is given that of a role which is dead at the moment.
A socket that is bound and does not listen prevents that. It refuses callers as no socket would, and
is in nobody's way who sets SO_REUSEADDR, as servers do.
"""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress

OF_TCP = re.compile(r"(?:https?://|tcp:)(127\.[\d.]+):(\d+)$")


class HeldPorts:
    """Those of all roles of a stage that were killed. It holds none until it is told to."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    def hold(self, addresses: Iterable[str]) -> None:
        """Those of TCP on loopback; until `release`, whoever listens there meanwhile."""
        for address in addresses:
            found = OF_TCP.match(address)
            if found:
                self._hold(found[1], int(found[2]))

    def release(self) -> None:
        """All. May be called when there are none."""
        for held in self._sockets.values():
            held.close()
        self._sockets.clear()

    def _hold(self, host: str, port: int) -> None:
        if (host, port) in self._sockets:
            return
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody listens there: another process of the same role, say
            held.bind((host, port))
            self._sockets[host, port] = held
            return
        held.close()

    def __repr__(self) -> str:
        return f"<HeldPorts {sorted(port for _, port in self._sockets)}>"
