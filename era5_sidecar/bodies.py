"""Bodies on their way through: framed as one side says, sent on as the other can read."""

import time

from era5_sidecar.chunked import LAST, ChunkedBody, chunk_of
from era5_sidecar.connection import NEVER, Connection
from era5_sidecar.http1 import CHUNKED, UNTIL_CLOSE


class Body:
    """The body that stands next on a connection, read piece by piece, without its framing."""

    __slots__ = ("_chunked", "_left", "_source", "is_over", "size")

    def __init__(self, source: Connection, size: int) -> None:
        """size: bytes, CHUNKED or UNTIL_CLOSE, as the head says."""
        self._source = source
        self.size = size
        self._left = size
        self._chunked = ChunkedBody() if size == CHUNKED else None
        self.is_over = size == 0

    async def piece(self) -> bytes:
        """The next bytes; none only at the end. Raises BadMessage, Cut, TooLate."""
        if self._chunked is not None:
            return await self._next_of(self._chunked)
        source = self._source
        if self.size == UNTIL_CLOSE:
            while not source.buffer and not source.is_over:
                await source.more()
            self.is_over = not source.buffer and not source.is_broken
            return b"" if self.is_over else await source.read_piece()
        if not self._left:
            return b""
        piece = await source.read_piece(self._left)
        self._left -= len(piece)
        self.is_over = not self._left
        return piece

    async def _next_of(self, chunked: ChunkedBody) -> bytes:
        data = b""
        while not data and not chunked.is_over:
            data = chunked.feed(await self._source.read_piece())
        if chunked.is_over and not self.is_over:
            self.is_over = True
            self._source.buffer = chunked.rest + self._source.buffer
        return data

    async def whole(self, most_bytes: int) -> bytes:
        """All of it, or the first part of a body that is larger than that: see `is_over`."""
        if 0 < self._left <= len(self._source.buffer) and self._left <= most_bytes:
            return await self.piece()  # the usual case: all of it is here already
        pieces: list[bytes] = []
        length = 0
        while not self.is_over and length <= most_bytes:
            pieces.append(await self.piece())
            length += len(pieces[-1])
        return b"".join(pieces)

    def framed(self, data: bytes) -> bytes:
        """A piece as the next hop reads it."""
        return chunk_of(data) if self.size < 0 else data

    @property
    def end(self) -> bytes:
        """What tells the next hop that this was all."""
        return LAST if self.size < 0 else b""


class Patience:
    """How long a side may still keep us waiting: to wait spends it, and bytes earn it again.

    So a silence ends, and so does a trickle, as neither may hold a place for ever; whoever sends
    (or reads) as fast as it should is waited for however much there is.
    """

    __slots__ = ("_least_bytes_per_s", "_most_s", "left_s")

    def __init__(self, left_s: float, most_s: float, least_bytes_per_s: float) -> None:
        """most_s: the longest silence. least_bytes_per_s: 0: any byte earns all of it again."""
        self.left_s = min(left_s, most_s)
        self._most_s = most_s
        self._least_bytes_per_s = least_bytes_per_s

    def wait(self, waited_s: float, length: int) -> None:
        """So long it took until so many bytes had come, or gone."""
        rate = self._least_bytes_per_s
        earned_s = length / rate if rate else self._most_s
        self.left_s = min(self.left_s - waited_s + earned_s, self._most_s)

    def __repr__(self) -> str:
        return f"<Patience {self.left_s:.3f} of {self._most_s:g} s>"


async def relay(
    body: Body, source: Connection, sink: Connection, sends: Patience, reads: Patience
) -> None:
    """Send a body on as it comes, as fast as the slower side reads.

    sends, reads: what either side has left. Raises as `Body.piece` does.
    """
    unread = 0
    while not body.is_over:
        began = time.monotonic()
        source.deadline = began + sends.left_s
        data = await body.piece()
        now = time.monotonic()
        sends.wait(now - began, len(data))
        if data:
            sink.write(body.framed(data))
            unread += len(data)
        if sink.is_full:
            sink.deadline = now + reads.left_s
            await sink.drained()
            sink.deadline = NEVER
            reads.wait(time.monotonic() - now, unread)
            unread = 0
    sink.write(body.end)
