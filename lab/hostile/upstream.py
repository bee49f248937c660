"""The scripted upstream: records every byte that it gets, answers as the case says.

To the requests for /open/next and /open/probe, and where a case says nothing, it answers 200 with
the number of the request, so that an answer tells whose it is.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

from lab.hostile.case import NEXT_PATH, PROBE_PATH, End, Pause, Step
from lab.hostile.message import Message, read_request

PLAIN = (NEXT_PATH, PROBE_PATH, "/health")
NUMBER = "x-number"


class Record:
    """What came on a connection in the place of one request."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen = b""

    @property
    def request(self) -> Message | None:
        return read_request(self.seen)

    @property
    def is_health(self) -> bool:
        """Whether the proxy asks in its own name."""
        return self.seen.startswith(b"GET /health ")


class Upstream:
    """Listens on loopback from construction to `close`; one script at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._open: set[socket.socket] = set()
        self._script: tuple[Step, ...] = ()
        self._at_head = False
        self._count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, script: tuple[Step, ...], at_head: bool) -> None:
        """Forget what came; answer as `script` says from now on."""
        with self._lock:
            self._records, self._script, self._at_head = [], script, at_head

    def received(self) -> list[Record]:
        """All requests since `begin` but those for /health, in the order in which they began."""
        with self._lock:
            return [record for record in self._records if not record.is_health]

    def close(self) -> None:
        """End the listener and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError), connection:
            unread = b""
            while True:
                unread = self._one(connection, unread)
        self._open.discard(connection)

    def _one(self, connection: socket.socket, unread: bytes) -> bytes:
        """One request and its answer; returns what came after it. OSError: the connection ended."""
        record = None
        is_answered = is_encouraged = False
        for seen in self._arriving(connection, unread):
            record = record or self._record()
            record.seen = seen
            request = record.request
            if request and not is_answered and (request.is_complete or self._answers_at(request)):
                self._answer(connection, record.number, request)
                is_answered = True
            if request and not is_encouraged and _waits_for_100(request) and not is_answered:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                is_encouraged = True
            if request and request.is_complete:
                record.seen = seen[: request.size_bytes]
                return seen[request.size_bytes :]
        raise ConnectionError("ended")

    def _arriving(self, connection: socket.socket, unread: bytes) -> Iterator[bytes]:
        """All that has come, each time that more has come."""
        if unread:
            yield unread
        while more := connection.recv(1 << 20):
            unread += more
            yield unread

    def _record(self) -> Record:
        with self._lock:
            self._count += 1
            record = Record(self._count)
            self._records.append(record)
        return record

    def _answers_at(self, request: Message) -> bool:
        return self._at_head and request.target not in PLAIN

    def _answer(self, connection: socket.socket, number: int, request: Message) -> None:
        if request.target in PLAIN or not self._script:
            connection.sendall(plain_answer(number, request.method))
            if "close" in request.values("connection"):
                raise ConnectionError("the proxy asked for it")
            return
        for step in self._script:
            act(connection, step)


def _waits_for_100(request: Message) -> bool:
    return "100-continue" in request.values("expect") and not request.is_complete


def act(connection: socket.socket, step: Step) -> None:
    """Do one step of either side but Await. OSError: the connection is over."""
    if isinstance(step, bytes):
        connection.sendall(step)
    if isinstance(step, Pause):
        time.sleep(step.s)
    if step is End.FIN:
        connection.shutdown(socket.SHUT_WR)
    if step is End.RESET:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def plain_answer(number: int, method: str) -> bytes:
    """200, and which request it answers."""
    body = b"" if method == "HEAD" else b"answer"
    return b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 6\r\n\r\n%s" % (number, body)
