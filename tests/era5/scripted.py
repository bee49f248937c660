"""A server that answers as it is told, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

SILENCE = b"..."  # says nothing, and holds the connection


def answer(body: bytes = b"", status: int = 200) -> bytes:
    """A whole answer."""
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Scripted:
    """`say` is what the next request gets."""

    def __init__(self, say: bytes) -> None:
        self.say = say
        self.asked: list[bytes] = []
        self.url = ""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            self.asked.append(head + await reader.readexactly(length))
            if self.say == SILENCE:
                await reader.read()
            writer.write(self.say)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(say: bytes, path: Path | None = None) -> AsyncIterator[Scripted]:
    """One that runs, on loopback or at a Unix socket."""
    found = Scripted(say)
    if path:
        server = await asyncio.start_unix_server(found.meet, path)
        found.url = f"unix:{path}"
    else:
        server = await asyncio.start_server(found.meet, "127.0.0.1", 0)
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()


async def until(holds: Callable[[], bool], patience_s: float = 10.0) -> None:
    """Waits until it holds; raises TimeoutError if it does not come about."""
    async with asyncio.timeout(patience_s):
        while not holds():
            await asyncio.sleep(0.005)
