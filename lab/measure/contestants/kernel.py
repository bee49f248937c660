"""The kernel's TCP with a congestion control of choice, its buffers at their defaults."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from lab.measure.contestants import Place

MTU_BYTES = 1500
HEADERS_BYTES = 20 + 20 + 12  # IPv4, TCP, the timestamp option that every segment carries
BULK_CHUNK_BYTES = 1 << 18
PATIENCE_S = 0.1


class Kernel:
    """TCP as the kernel has it.

    Raises OSError when connecting if the kernel does not know the congestion control.
    """

    def __init__(self, congestion_control: str) -> None:
        self._congestion_control = congestion_control

    def payload_share(self) -> float:
        return (MTU_BYTES - HEADERS_BYTES) / MTU_BYTES

    def bulk_send(self, place: Place) -> None:
        chunk = bytes(1 << 16)
        with self._connect(place) as connection:
            while True:
                connection.sendall(chunk)

    def bulk_receive(self, place: Place, ready: Callable[[], None]) -> Iterator[int]:
        buffer = bytearray(BULK_CHUNK_BYTES)
        with self._accept(place, ready) as connection:
            connection.settimeout(PATIENCE_S)
            yield 0
            while True:
                yield _receive_some(connection, buffer)

    def ask(self, place: Place, request: bytes, answer_bytes: int) -> Iterator[None]:
        with self._connect(place) as connection:
            while True:
                yield
                connection.sendall(request)
                _receive_exactly(connection, answer_bytes)

    def answer(
        self, place: Place, request_bytes: int, answer: bytes, ready: Callable[[], None]
    ) -> None:
        with self._accept(place, ready) as connection:
            while True:
                _receive_exactly(connection, request_bytes)
                connection.sendall(answer)

    def _connect(self, place: Place) -> socket.socket:
        connection = self._socket()
        connection.connect((place.peer, place.port))
        return connection

    def _accept(self, place: Place, ready: Callable[[], None]) -> socket.socket:
        with self._socket() as listener:
            listener.bind((place.me, place.port))
            listener.listen()
            ready()
            connection, _ = listener.accept()
        return connection

    def _socket(self) -> socket.socket:
        created = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        name = self._congestion_control.encode()
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
        # Small messages must not wait for each other (Nagle, RFC 896).
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return created


def _receive_some(connection: socket.socket, buffer: bytearray) -> int:
    try:
        return connection.recv_into(buffer)
    except TimeoutError:
        return 0


def _receive_exactly(connection: socket.socket, size_bytes: int) -> None:
    while size_bytes:
        part = connection.recv(size_bytes)
        if not part:
            raise ConnectionError("the other side closed the connection in mid-message")
        size_bytes -= len(part)
