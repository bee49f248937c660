"""The portable form: UDP datagrams, each carrying one frame, through a relay on loopback.

    orders ──▶ front socket ──▶ the wire ──▶ back socket ──▶ inventory
           ◀──              ◀──          ◀──             ◀──

Orders sends to the front and needs not know that it is no inventory. Every address that sends to
the front gets its own back socket, as behind a NAT (RFC 3022), so answers find their asker.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from lab.wire.pump import LONGEST_FRAME, End, Pump, Stranger

Address = tuple[str, int]

CLIENTS_AT_ONCE = 128  # then the oldest is forgotten: macOS lets a process open only 256 files
BUFFER_BYTES = 4 << 20  # a burst must not be lost in our sockets: that is the line's business


class AddressError(ValueError):
    """An address is not of the form that is accepted."""


def read_address(url: str, scheme: str = "udp") -> Address:
    """Split SCHEME://HOST:PORT. Raises AddressError."""
    accepted = f"address is {url!r}; accepted: {scheme}://HOST:PORT"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(accepted) from error
    if parts.scheme != scheme or not host or port is None:
        raise AddressError(accepted)
    return host, port


def resolved(address: Address) -> Address:
    """The host as a number, as the kernel names who sent a datagram. Raises AddressError."""
    host, port = address
    try:
        return socket.gethostbyname(host), port
    except (OSError, UnicodeError) as error:
        raise AddressError(
            f"host is {host!r}: {error}; accepted: one with an IPv4 address"
        ) from error


class Relay:
    """The sockets of the portable form; their frames go through a pump."""

    def __init__(self, pump: Pump, inventory: Address | None = None) -> None:
        """`inventory`, resolved, is where frames go; until it is named they are lost."""
        self._pump = pump
        self._inventory = inventory
        self._front = open_socket()
        self._backs: dict[Address, socket.socket] = {}
        self._front_end = End(self._front.fileno(), 0, self._read_front, _nowhere)
        pump.add(self._front_end)

    @property
    def address_for_orders(self) -> str:
        """The URL that orders is told is inventory's."""
        host, port = self._front.getsockname()
        return f"udp://{host}:{port}"

    def obey_forward(self, command: Mapping[str, object]) -> None:
        """The command {"do": "forward", "to": URL} names inventory. Raises AddressError."""
        self._inventory = resolved(read_address(str(command.get("to"))))

    def _read_front(self) -> bytes:
        frame, client = self._front.recvfrom(LONGEST_FRAME)
        back = self._backs.get(client) or self._welcome(client)

        def to_inventory(frame: bytes) -> object:
            # Never connected: a connected socket would refuse the first frame after an ICMP error.
            return back.sendto(frame, self._inventory) if self._inventory else _nowhere(frame)

        self._front_end.deliver = to_inventory
        return frame

    def _welcome(self, client: Address) -> socket.socket:
        if len(self._backs) == CLIENTS_AT_ONCE:
            oldest = self._backs.pop(next(iter(self._backs)))
            self._pump.remove(oldest.fileno())
            oldest.close()
        back = self._backs[client] = open_socket()

        def read_back() -> bytes:
            frame, source = back.recvfrom(LONGEST_FRAME)
            if source != self._inventory:
                raise Stranger(source)
            return frame

        def to_orders(frame: bytes) -> object:
            return self._front.sendto(frame, client)

        self._pump.add(End(back.fileno(), 1, read_back, to_orders))
        return back


def open_socket() -> socket.socket:
    """A non-blocking UDP socket on a free loopback port."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):  # Linux gives less, macOS refuses more than it allows
            opened.setsockopt(socket.SOL_SOCKET, buffer, BUFFER_BYTES)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened


def _nowhere(frame: bytes) -> object:
    raise OSError(f"nowhere to deliver {len(frame)} bytes: no inventory is named")
