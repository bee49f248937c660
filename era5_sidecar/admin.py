"""What an operator asks the sidecar itself, on loopback only.

| request     | answer                                                       |
|-------------|--------------------------------------------------------------|
| GET /ready  | 200, or 503 and why not                                      |
| GET /stats  | the metrics, as Prometheus reads them                        |
| GET /config | what is in force; where secrets and keys are is hidden       |
| POST /drain | from now on no new work: 202                                 |

Loopback is no wall against a browser on the same machine: a page from elsewhere can make it send a
request here. So a request must name us by a loopback name (else it came by a rebound DNS name), and
one that names an Origin came from a page.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from era5_sidecar.accepting import Accepting
from era5_sidecar.metrics import CONTENT_TYPE

MOST_HEAD_BYTES = 8192
MOST_CONNECTIONS = 32
PATIENCE_S = 5.0  # for a question to arrive, and for its answer to be read
ALLOWED = {"/ready": "GET", "/stats": "GET", "/config": "GET", "/drain": "POST"}
ACCEPTED = ", ".join(f"{method} {path}" for path, method in ALLOWED.items())

Answer = tuple[int, str, bytes]  # status, content type, body


class Admin:
    """One for each process."""

    def __init__(
        self,
        is_ready: Callable[[], str],
        stats: Callable[[], bytes],
        config: Callable[[], Mapping[str, Any]],
        drain: Callable[[], None],
    ) -> None:
        """is_ready: empty, or why not. config: as `config.shown` makes it."""
        self._is_ready = is_ready
        self._stats = stats
        self._config = config
        self._drain = drain
        self._names: frozenset[str] = frozenset()
        self._open = 0
        self._accepting: Accepting | None = None
        self.starved = 0

    async def serve(self, listener: socket.socket) -> None:
        """Answers at this socket from now on."""
        host, port = listener.getsockname()[:2]
        self._names = frozenset(f"{name}:{port}" for name in (host, "127.0.0.1", "localhost"))
        self._accepting = Accepting(listener, self)
        listener.close()

    async def close(self) -> None:
        """Answers no more."""
        if self._accepting:
            self._accepting.close()

    def knock(self) -> asyncio.Protocol:
        """Somebody has connected; whether there is room is seen when it is met."""
        reader = asyncio.StreamReader(limit=MOST_HEAD_BYTES)
        return asyncio.StreamReaderProtocol(reader, self._meet)

    def forget(self, knocked: asyncio.Protocol) -> None:
        """Nothing is to be agreed on here."""

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_CONNECTIONS:
                async with asyncio.timeout(PATIENCE_S):
                    writer.write(await self._answer(reader))
                    writer.write_eof()
                    await writer.drain()
                    await reader.read(1)  # a close with bytes unread would reset the answer away
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # who asked has gone, or we are ending: nobody waits for this task
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, kind, body = self.answer(head)
        except asyncio.LimitOverrunError:
            status, kind, body = _problem(431, f"accepted: a head of {MOST_HEAD_BYTES} bytes")
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def answer(self, head: str) -> Answer:
        """Status, type and body for a request's head."""
        words, fields = _read_head(head)
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _problem(400, f"accepted: {ACCEPTED}")
        hosts = [value for name, value in fields if name == "host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            return _problem(403, f"accepted: one Host of {', '.join(sorted(self._names))}")
        if any(name == "origin" for name, _ in fields):
            return _problem(403, "no web page may ask this; accepted: no Origin")
        method, path = words[0], words[1]
        if path not in ALLOWED:
            return _problem(404, f"accepted: {ACCEPTED}")
        if method != ALLOWED[path]:
            return _problem(405, f"accepted: {ACCEPTED}")
        return self._tell(path)

    def _tell(self, path: str) -> Answer:
        if path == "/stats":
            return 200, CONTENT_TYPE, self._stats()
        if path == "/config":
            return _json(200, self._config())
        if path == "/drain":
            self._drain()
            return _json(202, {"draining": True})
        why_not = self._is_ready()
        return _problem(503, why_not) if why_not else _json(200, {"ready": True})


def _read_head(head: str) -> tuple[list[str], list[tuple[str, str]]]:
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    parted = [line.partition(":") for line in lines]
    return first.split(" "), [(name.lower(), value.strip()) for name, _, value in parted]


def _json(status: int, table: Mapping[str, Any]) -> Answer:
    return status, "application/json", json.dumps(table, indent=1).encode()


def _problem(status: int, detail: str) -> Answer:
    """Problem details: RFC 9457."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return status, "application/problem+json", json.dumps(problem).encode()
