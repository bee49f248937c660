"""One instance that is asked: what was learned of it, and the connections to it."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from era4_framework.config import BreakerConfig
from era4_framework.errors import ConnectFailed, NotKnown, Overloaded
from era4_framework.policies.breaker import Breaker
from era5_sidecar.connection import NEVER, Connection, Sweep
from era5_sidecar.discovery import Instance
from era5_sidecar.handshakes import Handshakes
from era5_sidecar.transparent import connected

OUR_OWN_FAULT = (errno.EMFILE, errno.ENFILE)  # no instance is to be blamed for these
IDLE_S = 10.0  # an idle connection is not used again after that: its other end may be closing it


@dataclass(frozen=True)
class Dialling:
    """How connections are made. `peer_of`: the name in a certificate; raises if there is none.

    handshakes: where those are counted that come to nothing.
    """

    sweep: Sweep
    most_buffer_bytes: int
    tls: ssl.SSLContext | None = None
    peer_of: Callable[[Any], str] | None = None
    handshakes: Handshakes = field(default_factory=lambda: Handshakes(lambda line: None))

    def failed(self, peer: str, error: BaseException) -> str:
        """What the end of a handshake means, as is to be told after the peer's name."""
        return self.handshakes.failed("outbound", peer, error)


class ToUpstream(Connection):
    """A connection to an instance; idle ones wait in its pool."""

    __slots__ = ("born_at", "dialling", "endpoint", "idle_since", "is_idle", "served")

    def __init__(self, endpoint: Endpoint, dialling: Dialling) -> None:
        super().__init__(dialling.sweep, dialling.most_buffer_bytes)
        self.endpoint = endpoint
        self.dialling = dialling
        self.born_at = time.monotonic()
        self.idle_since = 0.0
        self.is_idle = False
        self.served = 0  # answers; a fresh connection cannot be a stale one

    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            self.abort()  # an answer to nothing: it would be the next one's
            return
        Connection.data_received(self, data)  # super() costs as much again, each time

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_idle:
            self.endpoint.idle.remove(self)
        super().connection_lost(error)


class Endpoint:
    """An instance, how busy we keep it, and what its breaker has learned."""

    __slots__ = (
        "breaker",
        "dialling",
        "idle",
        "in_flight",
        "instance",
        "is_gone",
        "most",
        "most_age_s",
        "service",
    )

    def __init__(
        self,
        service: str,
        instance: Instance,
        breaker: BreakerConfig,
        dialling: Dialling,
        most: float = NEVER,
        most_age_s: float = NEVER,
    ) -> None:
        """service: whose name its certificate must bear; empty: it is our own, on this host.
        most: connections in use at once. most_age_s: one that is older is not kept.
        """
        self.most = most
        self.most_age_s = most_age_s
        self.service = service
        self.instance = instance
        self.breaker = Breaker(breaker)
        self.dialling = dialling
        self.in_flight = 0
        self.is_gone = False  # it is known no more
        self.idle: list[ToUpstream] = []

    def kept(self, now: float) -> ToUpstream | None:
        """An idle connection, if there is one."""
        while self.idle:
            last = self.idle.pop()  # used last, so it is the least likely to be stale
            last.is_idle = False
            is_fresh = now - last.idle_since < IDLE_S and now - last.born_at < self.most_age_s
            if is_fresh and not last.is_over:
                return last
            last.close()
        return None

    async def fresh(self, until: float) -> ToUpstream:
        """A new connection. Raises ConnectFailed, NotKnown, Overloaded."""
        if self.in_flight > self.most:
            raise Overloaded(f"{self.instance.name}: as many connections as may be are in use")
        loop = asyncio.get_running_loop()
        dialled = loop.create_task(self._dial(until - time.monotonic()))
        await asyncio.wait([dialled])
        return dialled.result()

    async def _dial(self, within_s: float) -> ToUpstream:
        name = self.instance.name
        try:
            async with asyncio.timeout(within_s):
                made = await self._connect()
        except OSError as error:  # TimeoutError and SSLError among them
            if error.errno in OUR_OWN_FAULT:
                raise Overloaded(f"no file is left for a connection to {name}") from error
            why = "no connection in time" if isinstance(error, TimeoutError) else _told(error)
            why = self.dialling.failed(name, error) if isinstance(error, ssl.SSLError) else why
            raise ConnectFailed(f"{name}: {why}") from error
        peer_of = self.dialling.peer_of
        if self.service and self.dialling.tls and peer_of:
            try:
                who = peer_of(made.transport.get_extra_info("ssl_object"))
                if who != self.service:
                    told = f"its certificate is {who}'s; accepted: {self.service}'s"
                    raise NotKnown(f"{name}: {told}")
            except NotKnown as error:
                self.dialling.handshakes.count("outbound", name, "other_name", str(error))
                made.abort()
                raise
        return made

    async def _connect(self) -> ToUpstream:
        loop = asyncio.get_running_loop()
        url = self.instance.url

        def new() -> ToUpstream:
            return ToUpstream(self, self.dialling)

        if url.startswith("unix:"):
            return (await loop.create_unix_connection(new, url.removeprefix("unix:")))[1]
        parts = urlsplit(url)
        tls = self.dialling.tls if self.service else None
        host, port, named = str(parts.hostname), int(parts.port or 80), self.service or None
        named = named if tls else None
        marked = await connected(host, port)
        if marked:
            made = await loop.create_connection(new, sock=marked, ssl=tls, server_hostname=named)
            return made[1]
        made = await loop.create_connection(new, host, port, ssl=tls, server_hostname=named)
        return made[1]

    def give_back(self, connection: ToUpstream, now: float) -> None:
        """For the next request, if nothing is left of this one."""
        if connection.is_over or connection.buffer or connection.transport.is_closing():
            connection.abort()
            return
        if connection.dialling is not self.dialling or self.is_gone:
            connection.close()  # it shows another certificate, or nobody will ask for it
            return
        if now - connection.born_at >= self.most_age_s:
            connection.close()
            return
        if connection.is_paused:
            connection.read_on()  # else we would not hear that it ends
        connection.served += 1
        connection.idle_since = now
        connection.is_idle = True
        self.idle.append(connection)

    def admits(self, now: float) -> bool:
        return self.breaker.admits(now)

    def close(self) -> None:
        """It is asked no more; what is under way goes on."""
        while self.idle:
            kept = self.idle.pop()
            kept.is_idle = False
            kept.close()

    def __repr__(self) -> str:
        return f"<Endpoint {self.instance.name} in_flight={self.in_flight} {self.breaker!r}>"


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
