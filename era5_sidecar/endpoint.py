"""One instance that is asked: what was learned of it, and the connections to it."""

from __future__ import annotations

import asyncio
import time

from era4_framework.config import BreakerConfig
from era4_framework.errors import Overloaded
from era4_framework.policies.breaker import Breaker
from era5_sidecar.connection import NEVER, Connection
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance

IDLE_S = 10.0  # an idle connection is not used again after that: its other end may be closing it


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
        dialling = self.dialling  # if it is another one meanwhile, this connection is an old one
        return await dialling.dial(
            self.instance, self.service, lambda: ToUpstream(self, dialling), within_s
        )

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
