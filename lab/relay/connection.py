"""One connection through the relay: two streams, each read ahead and delivered in time."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import Coroutine
from time import monotonic
from typing import TYPE_CHECKING

from lab.relay.stream import PathDead, Stream

if TYPE_CHECKING:
    from lab.relay.shell import Relay

READ_BYTES = 65536
WINDOW_BYTES = 4 << 20

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Piece = tuple[float, int, bytes]  # (deliver at, segment number, bytes); no bytes: the end


class UnderWay:
    """Pieces read and not yet delivered. The reader waits when they are too many."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    def add(self, piece: Piece) -> None:
        """Put a piece on its way."""
        self._pieces.append(piece)
        self._bytes += len(piece[2])
        self._changed.set()

    async def until_room(self, window_bytes: int) -> None:
        """Wait until less than `window_bytes` are under way."""
        while self._bytes >= window_bytes:
            self._changed.clear()
            await self._changed.wait()

    async def first(self) -> Piece:
        """Wait until the first piece is due, and give it; it stays under way."""
        while not self._pieces:
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces[0]
        if (wait_s := piece[0] - monotonic()) > 0:
            await asyncio.sleep(wait_s)
        return piece

    def delivered(self) -> None:
        """The first piece has left."""
        self._bytes -= len(self._pieces.popleft()[2])
        self._changed.set()


class Connection:
    """Both streams of one connection, until they have ended or a fault ends it."""

    def __init__(self, relay: Relay, orders: Ends, inventory: Ends, chance: random.Random) -> None:
        """`chance` deals the sizes of slices."""
        self._relay = relay
        self._ends = (orders, inventory)
        self._streams = tuple(Stream(path, chance) for path in relay.paths)
        self._under_way = (UnderWay(), UnderWay())
        self._writing = 2
        self._verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Carry both streams; close or reset both ends at the end."""
        parts = [self._read(0), self._read(1), self._write(0), self._write(1), self._obey_toxics()]
        tasks = [asyncio.create_task(self._guarded(part)) for part in parts]
        try:
            how = await self._verdict
        finally:
            for task in tasks:
                task.cancel()
        for _, writer in self._ends:
            if how == "reset":
                reset(writer)
            writer.close()

    async def _read(self, port: int) -> None:
        """Take what the sender at `port` says, let it meet its fate, put it on its way."""
        relay, stream, under_way = self._relay, self._streams[port], self._under_way[port]
        reader, _ = self._ends[port]
        while data := await reader.read(READ_BYTES):
            await relay.until_passable(port)
            for piece in stream.push(monotonic(), data, relay.toxics(port)):
                under_way.add(piece)
            if stream.room_bytes(relay.toxics(port)) == 0:
                break
            await under_way.until_room(relay.paths[port].knobs.queue_bytes or WINDOW_BYTES)
        await relay.until_passable(port)
        while relay.toxics(port).timeout_s is not None:  # a black hole swallows the end as well
            await relay.until_turned()
        under_way.add((stream.ends_at(monotonic(), relay.toxics(port)), -1, b""))

    async def _write(self, port: int) -> None:
        """Deliver what comes from `port` to the other side, each piece when it is due."""
        path, under_way = self._relay.paths[port], self._under_way[port]
        _, writer = self._ends[1 - port]
        while True:
            _, number, piece = await under_way.first()
            if not piece:
                break
            writer.write(piece)
            arrived_at = monotonic()  # who receives it may have answered by the time we go on
            await writer.drain()
            path.arrived(arrived_at, number, piece)
            under_way.delivered()
        if self._streams[port].room_bytes(self._relay.toxics(port)) == 0:
            return self._end("close")
        writer.write_eof()
        self._writing -= 1
        if not self._writing:
            self._end("close")

    async def _obey_toxics(self) -> None:
        began_at = monotonic()
        while True:
            at, how = min(self._relay.verdicts(began_at), default=(None, ""))
            if at is not None and at <= monotonic():
                return self._end(how)
            await self._relay.until_turned(None if at is None else at - monotonic())

    async def _guarded(self, part: Coroutine[None, None, None]) -> None:
        try:
            await part
        except (OSError, PathDead):  # one side has reset, or TCP would have given up
            self._end("reset")

    def _end(self, how: str) -> None:
        if not self._verdict.done():
            self._verdict.set_result(how)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN: lingering for no time does that (socket(7))."""
    connection = writer.get_extra_info("socket")
    if connection.fileno() >= 0:  # else it has been closed meanwhile
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
