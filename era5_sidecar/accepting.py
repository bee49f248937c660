"""Who connects is counted at once, before TLS is agreed on and before anything is said.

A server of asyncio tells of a connection only after its handshake: thousands that are under way
would be nobody's callers, and each of them holds a file. And where no file is left, asyncio prints
a traceback for every place of its queue, and uvloop resets without a word. Here whoever finds no
room is turned away, and where no file is left we rest for a moment; both are counted.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from era5_sidecar.last_words import MEETING

AT_ONCE = 64  # connections are taken before those inside are served again
HANDSHAKE = b"\x16"  # the type of TLS's first record: RFC 8446, section 5.1
REST_S = 0.1  # where no file is left; who connects waits in the kernel


class Doorkeeper(Protocol):
    """What is asked about whoever connects. `starved`: how often no file was left for anybody."""

    starved: int

    def knock(self) -> asyncio.Protocol | None:
        """Somebody has connected: who serves it, or None if there is no room."""

    def forget(self, knocked: Any) -> None:
        """What there was to agree on has been agreed on, or has come to nothing."""


class Accepting:
    """Takes connections from a listening socket, on a descriptor of its own, until it is closed."""

    def __init__(
        self,
        at: socket.socket,
        door: Doorkeeper,
        guard: ssl.SSLContext | None = None,
        within_s: float = 10.0,
        is_permissive: bool = False,
        failed: Callable[[str, OSError], object] = lambda peer, error: None,
    ) -> None:
        """guard: who comes must pass it; another one may be set, for all who come then.
        within_s: for its handshake. is_permissive: who begins without TLS comes in unguarded.
        failed: told of whoever could not pass. To be made where a loop runs. Raises OSError.
        """
        self.guard = guard
        self.is_permissive = is_permissive
        self.within_s = within_s
        self._failed = failed
        self._door = door
        self._at = at.dup()
        self._at.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._letting_in: set[asyncio.Task[None]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """From now on nobody is taken; whose handshake is under way may still end it."""
        if self._resting:
            self._resting.cancel()
        self._loop.remove_reader(self._at)
        self._at.close()

    def _listen(self) -> None:
        self._resting = None
        self._loop.add_reader(self._at, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._at.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # EMFILE, ENFILE, ENOBUFS, ENOMEM: the socket would stay readable
                self._rest()
                return
            self._meet(connection, str(address[0]) if address else "")

    def _rest(self) -> None:
        self._door.starved += 1
        self._loop.remove_reader(self._at)
        self._resting = self._loop.call_later(REST_S, self._listen)

    def _meet(self, connection: socket.socket, peer: str) -> None:
        knocked = self._door.knock()
        if knocked is None:
            connection.close()  # who waits for room would wait in a queue that nobody sees
            return
        task = self._loop.create_task(self._let_in(connection, knocked, peer))
        self._letting_in.add(task)  # a loop keeps no task that nobody else keeps
        task.add_done_callback(self._letting_in.discard)

    async def _let_in(
        self, connection: socket.socket, knocked: asyncio.Protocol, peer: str
    ) -> None:
        MEETING.set(connection)
        try:
            guard = self.guard
            if guard and self.is_permissive:
                guard = guard if await self._begins_tls(connection) else None
            within_s = self.within_s if guard else None
            await self._loop.connect_accepted_socket(
                lambda: knocked, connection, ssl=guard, ssl_handshake_timeout=within_s
            )
        except OSError as error:  # SSLError among them: it could not prove who it is
            self._failed(peer, error)
        finally:
            self._door.forget(knocked)

    async def _begins_tls(self, connection: socket.socket) -> bool:
        """What its first byte says, which stays where it is. Raises OSError, TimeoutError too."""
        connection.setblocking(False)
        has_come = self._loop.create_future()
        self._loop.add_reader(connection, _note, has_come)
        try:
            async with asyncio.timeout(self.within_s):
                await has_come
            return connection.recv(1, socket.MSG_PEEK) in (HANDSHAKE, b"")
        except OSError:
            connection.close()
            raise
        finally:
            self._loop.remove_reader(connection)


def _note(has_come: asyncio.Future[None]) -> None:
    if not has_come.done():
        has_come.set_result(None)
