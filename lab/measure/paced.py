"""Requests that fall due at even intervals, over connections that are kept: what each takes.

An answer's time counts from when its request was due, so one that waits for a free connection is
slow, not absent. Between two events the asker looks again and again instead of sleeping: to be
woken takes the machine longer than a proxy needs.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

from lab.measure import CannotMeasure

PATIENCE_S = 5.0  # with the last answers
MOST_BYTES = 65536


class Asked:
    """One connection: either free, or waiting for the answer to what was due at `due`."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.due = 0.0
        self._answer = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self._answer = due, b""
        self.connection.sendall(request)

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole. Raises CannotMeasure."""
        piece = self.connection.recv(MOST_BYTES)
        self._answer += piece
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not piece or (end and b" 200 " not in head[:16]):
            raise CannotMeasure(f"a paced request was answered {self._answer[:60]!r}")
        return bool(end) and len(body) >= _length(head)


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n")[0] or 0)


def ask(
    url: str, headers: Mapping[str, str], rate_per_s: float, connections: int, seconds: float
) -> list[float]:
    """Ask for `url` so often; return the seconds each answer took. Raises CannotMeasure."""
    parts = urlsplit(url)
    lines = [f"GET {parts.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    with ExitStack() as held, selectors.DefaultSelector() as selector:
        free = []
        for _ in range(connections):
            connection = socket.create_connection((parts.hostname or "", parts.port or 80))
            held.enter_context(connection).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            free.append(Asked(connection))
            selector.register(connection, selectors.EVENT_READ, free[-1])
        return _run(selector, free, request, 1 / rate_per_s, round(rate_per_s * seconds))


def _run(
    selector: selectors.BaseSelector, free: list[Asked], request: bytes, every_s: float, count: int
) -> list[float]:
    took_s: list[float] = []
    began = time.perf_counter()
    sent = 0
    while len(took_s) < count:
        now = time.perf_counter()
        while free and sent < count and began + sent * every_s <= now:
            free.pop().send(request, began + sent * every_s)
            sent += 1
        for key, _ in selector.select(0):
            if key.data.receive():
                took_s.append(time.perf_counter() - key.data.due)
                free.append(key.data)
        if now > began + count * every_s + PATIENCE_S:
            raise CannotMeasure(f"{count - len(took_s)} paced requests have no answer")
    return took_s
