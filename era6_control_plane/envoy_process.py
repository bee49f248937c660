"""A real Envoy as a process: whether it is ready, and how it takes leave.

It is asked at its admin interface, which speaks HTTP/1.1 only.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

from era5_sidecar.supervisor_config import host_and_port
from era5_sidecar.transparent import connected

LOOK_S = 0.01
ASK_S = 1.0  # its admin interface may be slow, once
DRAIN_S = 2.0  # a second in which it still listens (--drain-time-s), one for what is under way
END_S = 3.0
NO_ANSWER = (OSError, ValueError, LookupError)  # TimeoutError is one of the first


class Envoy:
    """One process, and how it is asked."""

    def __init__(self, process: asyncio.subprocess.Process, admin: str) -> None:
        """admin: http://HOST:PORT of its admin interface."""
        self.process = process
        self.admin = admin

    async def ready(self, inbound: str) -> bool:
        """Returns when it serves: what it was told first is in force. False: it has ended."""
        while self.process.returncode is None:
            with suppress(*NO_ANSWER):
                if await self._ask("GET", "/ready") == 200:
                    _, writer = await _connect(*host_and_port(inbound))
                    writer.close()
                    return True
            await asyncio.sleep(LOOK_S)
        return False

    async def leave(self) -> None:
        """Take no new connection, finish what has begun, end."""
        if self.process.returncode is not None:
            return
        with suppress(*NO_ANSWER):
            await self._ask("POST", "/drain_listeners?graceful")
            await asyncio.sleep(DRAIN_S)
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), END_S)
            return
        self.kill()

    def kill(self) -> None:
        """At once."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def _ask(self, method: str, path: str) -> int:
        """The status of its admin interface's answer; it takes HTTP/1.1 only."""
        async with asyncio.timeout(ASK_S):
            reader, writer = await _connect(*host_and_port(self.admin))
            try:
                head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                return int((await reader.readline()).split()[1])
            finally:
                writer.transport.abort()


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As a sidecar's process connects, where the kernel leads all others elsewhere."""
    marked = await connected(host, port)
    if marked:
        return await asyncio.open_connection(sock=marked)
    return await asyncio.open_connection(host, port)
