"""Era 1: reliability by hand, its pure core and its shell as the services use them.

Over raw IP there are no ports, so a host has one process that listens. Where two flows of ours
share a link, they travel as UDP datagrams: the same packets, eight bytes longer.
"""

from __future__ import annotations

import importlib
import select
import time
from collections.abc import Callable, Iterator
from random import SystemRandom
from typing import Any

from lab import find
from lab.measure.contestants import Place

MTU_BYTES = 1500
UDP_HEADER_BYTES = 8
IP_HEADER_BYTES = 20
BACKLOG_SEGMENTS = 2000  # more than any window here takes in one turn
SEGMENTS_PER_MESSAGE = 8  # the receiver sees whole messages: short ones count evenly
PATIENCE_S = 0.1


class Era:
    """`scheme` is "ip" (raw) or "udp"."""

    def __init__(self, scheme: str) -> None:
        package = find.find("1").package
        self._transport: Any = importlib.import_module(f"{package}.transport")
        header_bytes: int = importlib.import_module(f"{package}.codec").HEADER.size
        self._scheme = scheme
        self._mtu_bytes = MTU_BYTES - (UDP_HEADER_BYTES if scheme == "udp" else 0)
        self._payload_bytes = self._mtu_bytes - IP_HEADER_BYTES - header_bytes

    def payload_share(self) -> float:
        return self._payload_bytes / MTU_BYTES

    def bulk_send(self, place: Place) -> None:
        socket, connection = self._connect(place)
        message = bytes(SEGMENTS_PER_MESSAGE * self._payload_bytes)
        while True:
            while len(connection.sender.queue) < BACKLOG_SEGMENTS:
                connection.send(message)
            socket.turn()
            _check(connection)

    def bulk_receive(self, place: Place, ready: Callable[[], None]) -> Iterator[int]:
        socket = self._listen(place, ready)
        while not any(map(_is_established, socket.endpoint.connections.values())):
            socket.turn()
        while True:
            yield sum(len(message) for _, message in socket.arrived())
            socket.turn()

    def ask(self, place: Place, request: bytes, answer_bytes: int) -> Iterator[None]:
        socket, connection = self._connect(place)
        while True:
            yield
            connection.send(request)
            while not connection.take():
                socket.turn()
                _check(connection)

    def answer(
        self, place: Place, request_bytes: int, answer: bytes, ready: Callable[[], None]
    ) -> None:
        socket = self._listen(place, ready)
        while True:
            socket.turn()
            for connection, _ in socket.arrived():
                connection.send(answer)

    def _connect(self, place: Place) -> tuple[_Socket, Any]:
        """Open a connection, however often it takes: the kernel tries for two minutes, too."""
        while True:
            socket = self._socket(place.peer, place.port, listening=False)
            connection = socket.endpoint.connect(socket.carrier.peer, time.monotonic())
            while not connection.error and not _is_established(connection):
                socket.turn()
            if not connection.error:
                return socket, connection
            socket.carrier.close()

    def _listen(self, place: Place, ready: Callable[[], None]) -> _Socket:
        socket = self._socket(place.me, place.port, listening=True)
        ready()
        return socket

    def _socket(self, host: str, port: int, listening: bool) -> _Socket:
        address = f"ip://{host}" if self._scheme == "ip" else f"udp://{host}:{port}"
        carrier = self._transport.Carrier(address, listening)
        endpoint = self._transport.Endpoint(SystemRandom(), listening, self._mtu_bytes)
        return _Socket(self._transport, carrier, endpoint)


class _Socket:
    """The era's carrier and endpoint, and one turn of the loop between them."""

    def __init__(self, transport: Any, carrier: Any, endpoint: Any) -> None:
        self.carrier = carrier
        self.endpoint = endpoint
        self._transport = transport

    def turn(self) -> None:
        """Send what is due, wait for a packet or a timer, take in what has arrived."""
        wait_s = self._transport.send_due(self.carrier, self.endpoint)
        patience_s = PATIENCE_S if wait_s is None else min(wait_s, PATIENCE_S)
        if select.select((self.carrier.fileno(),), (), (), patience_s)[0]:
            self._transport.receive_waiting(self.carrier, self.endpoint)

    def arrived(self) -> Iterator[tuple[Any, bytes]]:
        """Yield (connection, message) for what has arrived whole and in order."""
        for connection in list(self.endpoint.connections.values()):
            for message in connection.take():
                yield connection, message


def _is_established(connection: Any) -> bool:
    return bool(connection.state.value == "established")


def _check(connection: Any) -> None:
    if connection.error:
        raise ConnectionError(connection.error)
