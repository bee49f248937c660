"""One question over HTTP, for what the sidecar itself wants to know: the registry, and its app.

A connection for each question, HTTP/1.0, everything bounded: time, bytes, and what is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from era5_sidecar.config_text import UNIX
from era5_sidecar.transparent import connected

MOST_HEAD_BYTES = 16384
MOST_BODY_BYTES = 1024 * 1024


class NoHttp(ValueError):
    """What answered does not speak HTTP, or its answer was cut short."""


async def ask(
    url: str,
    method: str,
    target: str,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, bytes]:
    """Status and body of the answer of `url`, http://HOST:PORT or unix:PATH.

    Raises OSError, TimeoutError among them, if there is none in time, and NoHttp if it is none.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await _connect(url)
        try:
            writer.write(_request(url, method, target, headers or {}, body))
            return await _answer(reader)
        finally:
            writer.transport.abort()  # everything was said


async def ask_status(url: str, target: str, timeout_s: float) -> int:
    """The status alone, of a GET; the body may be as long as it likes. Raises as `ask` does."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await _connect(url)
        try:
            writer.write(_request(url, "GET", target, {}, b""))
            status, _ = _read_head(await _head(reader))
            return status
        finally:
            writer.transport.abort()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if url.startswith(UNIX):
        path = url.removeprefix(UNIX)
        return await asyncio.open_unix_connection(path, limit=MOST_HEAD_BYTES)
    parts = urlsplit(url)
    marked = await connected(str(parts.hostname), int(parts.port or 80))
    if marked:
        return await asyncio.open_connection(sock=marked, limit=MOST_HEAD_BYTES)
    return await asyncio.open_connection(parts.hostname, parts.port, limit=MOST_HEAD_BYTES)


def _request(url: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    host = "localhost" if url.startswith(UNIX) else urlsplit(url).netloc
    told = {"Host": host, "Connection": "close", "Content-Length": str(len(body)), **headers}
    lines = [f"{method} {target} HTTP/1.0", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, length = _read_head(await _head(reader))
    try:
        body = await reader.readexactly(MOST_BODY_BYTES + 1 if length < 0 else length)
    except asyncio.IncompleteReadError as error:
        if length >= 0:
            raise NoHttp(f"{len(error.partial)} bytes of {length}") from None
        return status, error.partial  # without a length the body ends with the connection
    if len(body) > MOST_BODY_BYTES:
        raise NoHttp(f"a body of more than {MOST_BODY_BYTES} bytes")
    return status, body


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise NoHttp(f"{len(error.partial)} bytes and no head") from None
    except asyncio.LimitOverrunError:
        raise NoHttp(f"a head of more than {MOST_HEAD_BYTES} bytes") from None


def _read_head(head: bytes) -> tuple[int, int]:
    """Status and length of the body; -1 if it is not told."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit()):
        raise NoHttp("no status line")
    fields = [line.partition(":") for line in lines]
    told = [value.strip() for name, _, value in fields if name.lower() == "content-length"]
    if not told:
        return int(status), -1
    length = told[0]
    if not (length.isascii() and length.isdigit()) or int(length[:8]) > MOST_BODY_BYTES:
        raise NoHttp("a length that is none, or too long")
    return int(status), int(length)
