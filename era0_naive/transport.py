"""How a call travels in era 0: a message is a datagram, and whatever arrives next is the answer.

It believes the fallacies: the network is reliable, so it waits for ever; there is one sender, so
an answer needs no number; what arrives is what was sent, so nothing is checked, not even by the
kernel; and a datagram holds anything.
"""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from era0_naive.role import host_and_port
from era0_naive.shop import respond

LARGEST_DATAGRAM = 65_535
SO_NO_CHECK = 11  # Linux, asm-generic/socket.h; the socket module does not name it


class Caller:
    """Orders' side. Threads take turns: nothing in an answer says which question it belongs to."""

    def __init__(self, address: str) -> None:
        """Raises ValueError if the address is not udp://HOST:PORT."""
        self._inventory = host_and_port(address, "udp")
        self._socket = _open_socket()
        self._turn = threading.Lock()

    def call(self, request: dict[str, Any]) -> Any:
        """Sends the request and waits for an answer, for ever."""
        with self._turn:
            self._socket.sendto(json.dumps(request).encode(), self._inventory)
            return json.loads(self._socket.recv(LARGEST_DATAGRAM))

    def close(self) -> None:
        self._socket.close()


def serve(
    address: str,
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    ready: Callable[[str], None],
) -> None:
    """Inventory's side: one request after the other, for ever.

    Calls `ready` with the address, its port filled in, once requests are heard. Raises ValueError
    or OSError, naming the address, if it cannot listen there.
    """
    host, port = host_and_port(address, "udp", least_port=0)
    with _open_socket() as listener:
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OSError(
                f"address {address!r}: {error.strerror}; accepted: an address of this machine with"
                " a free port, or port 0 for any"
            ) from error
        ready(f"udp://{host}:{listener.getsockname()[1]}")
        while True:
            message, sender = listener.recvfrom(LARGEST_DATAGRAM)
            with contextlib.suppress(OSError):  # an answer that cannot be sent is a lost one
                listener.sendto(respond(message, answer), sender)


def _open_socket() -> socket.socket:
    """A UDP socket without checksums, as RFC 768 allows: total trust, so that damage arrives."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if sys.platform == "linux":
        opened.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    return opened
