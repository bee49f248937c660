"""aioquic: QUIC in Python, the peer that is written in the same language as era 1.

Its protocol core has no I/O of its own; this is the shortest loop around it, without asyncio,
so that it is not slowed down by a scheduler that the others do not have. Encryption is part of
QUIC and cannot be turned off: its CPU figures contain it, ours have nothing of the kind.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    QuicEvent,
    StreamDataReceived,
)
from aioquic.quic.packet import pull_quic_header

from lab.measure.contestants import Place
from lab.measure.contestants.certificate import self_signed

DATAGRAM_BYTES = 1500 - 20 - 8  # IPv4 and UDP in a frame of 1,500
# Short header (flags, connection id, packet number), AEAD tag, STREAM frame header (RFC 9000).
OVERHEAD_BYTES = (1 + 8 + 2) + 16 + (1 + 1 + 8 + 2)
WINDOW_BYTES = 1 << 26  # the default of 1 MiB would be its limit on a long fat link, not the wire
BACKLOG_BYTES = 1 << 22
CHUNK = bytes(1 << 16)
SOCKET_BUFFER_BYTES = 8 << 20
PATIENCE_S = 0.1


class Quic:
    def payload_share(self) -> float:
        return (DATAGRAM_BYTES - OVERHEAD_BYTES) / 1500

    def bulk_send(self, place: Place) -> None:
        session = _connect(place)
        stream = session.connection.get_next_available_stream_id(is_unidirectional=True)
        accepted_bytes = 0
        while True:
            # What it has sent is the public sign of what it still keeps.
            while accepted_bytes < session.sent_bytes + BACKLOG_BYTES:
                session.connection.send_stream_data(stream, CHUNK)
                accepted_bytes += len(CHUNK)
            session.step()

    def bulk_receive(self, place: Place, ready: Callable[[], None]) -> Iterator[int]:
        session = _accept(place, ready)
        session.complete_handshake()
        while True:
            yield sum(len(data) for _, data in session.arrived())
            session.step()

    def ask(self, place: Place, request: bytes, answer_bytes: int) -> Iterator[None]:
        session = _connect(place)
        stream = session.connection.get_next_available_stream_id()
        while True:
            yield
            session.connection.send_stream_data(stream, request)
            missing_bytes = answer_bytes
            while missing_bytes:
                session.step()
                missing_bytes -= sum(len(data) for _, data in session.arrived())

    def answer(
        self, place: Place, request_bytes: int, answer: bytes, ready: Callable[[], None]
    ) -> None:
        session = _accept(place, ready)
        waiting_bytes = 0
        while True:
            session.step()
            for stream, data in session.arrived():
                waiting_bytes += len(data)
                while waiting_bytes >= request_bytes:
                    waiting_bytes -= request_bytes
                    session.connection.send_stream_data(stream, answer)


class _Session:
    """A QUIC connection, its socket, and one turn of the loop between them."""

    def __init__(self, connection: QuicConnection, udp: socket.socket) -> None:
        self.connection = connection
        self.sent_bytes = 0
        self._udp = udp

    def step(self) -> None:
        """Send what may leave, wait for a datagram or a timer, take in what has arrived."""
        self._send()
        timer = self.connection.get_timer()
        wait_s = PATIENCE_S if timer is None else min(PATIENCE_S, timer - time.monotonic())
        if select.select([self._udp], [], [], max(0.0, wait_s))[0]:
            self.receive()
        if timer is not None and time.monotonic() >= timer:
            self.connection.handle_timer(time.monotonic())
        self._send()

    def complete_handshake(self) -> None:
        """Return once both sides are sure of each other; nothing can have arrived before."""
        while not any(isinstance(event, HandshakeCompleted) for event in self.events()):
            self.step()

    def arrived(self) -> Iterator[tuple[int, bytes]]:
        """Yield (stream, bytes) for what the peer's streams have brought.

        Raises ConnectionError if the connection has ended.
        """
        for event in self.events():
            if isinstance(event, StreamDataReceived):
                yield event.stream_id, event.data

    def events(self) -> Iterator[QuicEvent]:
        while event := self.connection.next_event():
            if isinstance(event, ConnectionTerminated):
                raise ConnectionError(f"QUIC ended: {event.reason_phrase}")
            yield event

    def _send(self) -> None:
        for datagram, address in self.connection.datagrams_to_send(now=time.monotonic()):
            self.sent_bytes += len(datagram)
            self._udp.sendto(datagram, address)

    def receive(self) -> None:
        """Take in the datagrams that wait, at most 64 so that sending is not starved."""
        for _ in range(64):
            try:
                datagram, address = self._udp.recvfrom(65535)
            except BlockingIOError:
                return
            self.connection.receive_datagram(datagram, address, now=time.monotonic())


def _connect(place: Place) -> _Session:
    configuration = QuicConfiguration(is_client=True, verify_mode=ssl.CERT_NONE)
    session = _Session(QuicConnection(configuration=_tuned(configuration)), _socket(place.me, 0))
    session.connection.connect((place.peer, place.port), now=time.monotonic())
    session.complete_handshake()
    return session


def _accept(place: Place, ready: Callable[[], None]) -> _Session:
    configuration = QuicConfiguration(is_client=False)
    configuration.certificate, configuration.private_key = self_signed()
    udp = _socket(place.me, place.port)
    ready()
    select.select([udp], [], [])
    first, _ = udp.recvfrom(65535, socket.MSG_PEEK)
    header = pull_quic_header(Buffer(data=first), host_cid_length=8)
    connection = QuicConnection(
        configuration=_tuned(configuration),
        original_destination_connection_id=header.destination_cid,
    )
    session = _Session(connection, udp)
    session.receive()
    return session


def _tuned(configuration: QuicConfiguration) -> QuicConfiguration:
    configuration.alpn_protocols = ["measure"]
    configuration.max_datagram_size = DATAGRAM_BYTES
    configuration.max_data = WINDOW_BYTES
    configuration.max_stream_data = WINDOW_BYTES
    return configuration


def _socket(address: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    udp.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        udp.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    return udp
