"""One connection, one coroutine that reads from it: straight code without a task for each request.

A connection is the Place (waiting.py) in which its coroutine waits for bytes. Who waits may be
woken with an error: a deadline that passed, a peer that is gone. Deadlines are not timers, one for
each wait: one sweep looks at all who wait, every SWEEP_S. The file is long because reading, writing
and ending are one state.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
import traceback
import types
from collections.abc import Generator
from typing import Any

from era5_sidecar.fields import BadMessage
from era5_sidecar.waiting import Place, TooLate, resume

SWEEP_S = 0.02  # a deadline is noticed so late at most
BARE_LF = re.compile(rb"(?<!\r)\n")
NO_HTTP = re.compile(rb"[^\r\n\x20-\x7e]")  # as TLS begins, whose sender would wait for us
END = b"\r\n\r\n"
NEVER = float("inf")
LEAVES_S = 30.0  # what was written has so long to leave a connection that is closed
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: whoever closes now sends a reset


class Cut(ConnectionError):
    """The peer is gone before the message was whole."""


class Sweep:
    """Looks every so often who waits beyond its deadline."""

    def __init__(self, every_s: float = SWEEP_S) -> None:
        self.watched: set[Connection] = set()
        self._every_s = every_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        for each in [each for each in self.watched if each.deadline <= now]:
            each.deadline = NEVER
            try:
                each.expire()
            except Exception:
                traceback.print_exc()  # a mistake with one must not end the deadlines of all


class Connection(Place, asyncio.Protocol):
    """What both kinds of connections can: a caller's, and one to an upstream."""

    __slots__ = (
        "_most_bytes",
        "_sweep",
        "buffer",
        "deadline",
        "ended_by",
        "is_broken",
        "is_full",
        "is_lost",
        "is_over",
        "is_paused",
        "outlet",
        "transport",
    )  # fmt: skip

    def __init__(self, sweep: Sweep, most_bytes: int) -> None:
        """sweep: wakes who waits for this peer beyond `deadline`, by TooLate. most_bytes: of what
        arrived and nobody has read yet.
        """
        super().__init__()
        self._sweep = sweep
        self.transport: Any = None
        self.buffer = b""
        self.deadline = NEVER
        self.is_over = False  # the peer will send no more
        self.is_lost = False  # nor hear anything
        self.is_broken = False  # not by its own will: what it said may not be whole
        self.ended_by: Exception | None = None  # which then says why
        self.is_full = False  # it reads more slowly than we write
        self.outlet: Place | None = None  # who waits until it is not
        self.is_paused = False  # by us: more has arrived than we can use
        self._most_bytes = most_bytes

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._sweep.watched.add(self)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        work = self.waiting
        if work is not None:
            self.waiting = None
            resume(work)
        if len(self.buffer) > self._most_bytes and not self.is_paused and self.waiting is None:
            self.is_paused = True  # who still waits needs more, as of a long head
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """It has said all, and may still listen (RFC 9112, section 9.6); TLS knows no half."""
        self.is_over = True
        self.wake()
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = self.is_lost = True
        self.is_broken = error is not None
        self.ended_by = error
        self._sweep.watched.discard(self)
        self.wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self.outlet is not None:
            self.outlet.wake()

    def write(self, data: bytes) -> None:
        if not self.is_lost and not self.transport.is_closing():
            self.transport.write(data)

    async def drained(self) -> None:
        """Until the peer has read enough of what was written."""
        while self.is_full:
            self.outlet = self.outlet or Place()
            await self.outlet.wait()

    def expire(self) -> None:
        if self.transport.is_closing():
            self.abort()
            return
        place: Place = self.outlet if self.outlet and self.outlet.waiting else self
        place.wake(TooLate())

    def close(self) -> None:
        """After what was written has left, if its peer takes it."""
        if self.transport is not None:
            self.transport.close()
            self.deadline = time.monotonic() + LEAVES_S

    def abort(self) -> None:
        """At once, by a reset: an answer without a length is whole where its connection ends."""
        if self.transport is not None:
            opened = self.transport.get_extra_info("socket")
            if opened is not None and not self.transport.is_closing():
                with contextlib.suppress(OSError):  # some systems mind that the peer has gone
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()

    @types.coroutine
    def more(self) -> Generator[Place, None, None]:
        """Until more has arrived, or the end. Raises TooLate."""
        if self.is_paused:
            self.read_on()
        yield self

    def read_on(self) -> None:
        """Hear it again."""
        self.is_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    @types.coroutine
    def read_head(
        self, most_bytes: int, within_s: float = NEVER
    ) -> Generator[Place, None, bytes | None]:
        """The next head without its empty line; None if the connection has ended before one.

        within_s: from its first byte to its last. Raises Cut, TooLate, BadMessage.
        """
        if not self.buffer and not self.is_over:
            if self.is_paused:
                self.read_on()
            yield self
        end = self.buffer.find(END)  # the usual case: all of it comes at once
        if not 0 <= end <= most_bytes:
            end = yield from self._rest_of_head(most_bytes, within_s)
            if end < 0:
                return None
        head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
        return head

    @types.coroutine
    def _rest_of_head(self, most_bytes: int, within_s: float) -> Generator[Place, None, int]:
        """Where it ends, once it is there; -1 if the connection has ended before it began."""
        if within_s != NEVER:
            self.deadline = time.monotonic() + within_s
        seen = 0  # looked through before: who sends byte after byte would have us look at all of it
        while not 0 <= (end := self.buffer.find(END, max(0, seen - 3))) <= most_bytes:
            if len(self.buffer) > most_bytes:
                raise BadMessage(f"accepted is a head of at most {most_bytes} bytes", 431)
            if NO_HTTP.match(self.buffer):
                raise BadMessage("what begins so is no HTTP")
            if BARE_LF.search(self.buffer, seen):
                raise BadMessage("a line that does not end in CRLF")
            seen = len(self.buffer)
            if self.is_over:
                if self.buffer:
                    raise Cut("the end came inside a head")
                return -1
            yield from self.more()
        return end

    async def read_piece(self, most_bytes: int | None = None) -> bytes:
        """What has arrived, at least a byte, at most so many. Raises Cut, TooLate."""
        while not self.buffer:
            if self.is_over:
                raise Cut("the end came inside a body")
            await self.more()
        if most_bytes is None or len(self.buffer) <= most_bytes:
            piece, self.buffer = self.buffer, b""
        else:
            piece, self.buffer = self.buffer[:most_bytes], self.buffer[most_bytes:]
        return piece
