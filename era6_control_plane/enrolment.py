"""How an instance gets in, stays in, and keeps its certificate: `Join`, `Renew` and `Attend`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable

import grpc

from era0_naive.sqlite_file import Busy
from era6_control_plane.citadel import Citadel
from era6_control_plane.identity import Peer, check_instance, check_service, peer_of
from era6_control_plane.membership import Membership
from era6_control_plane.server_identity import ServerIdentity
from era6_control_plane.tokens import TokenRefused
from era6_control_plane.words import (
    ATTEND,
    JOIN,
    MESH,
    RENEW,
    Application,
    Grant,
    Heartbeat,
    Instruction,
    Renewal,
    read,
    written,
)

LOOK_EVERY_S = 0.1
Context = grpc.aio.ServicerContext[bytes, bytes]


class Seat:
    """One agent's stream. Of two for one instance the later one counts: the first is a remnant."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.is_taken = False  # by a later one
        self.wake = asyncio.Event()
        self.told = Instruction()
        self.serial = peer.serial

    def take(self) -> None:
        """It is another's now."""
        self.is_taken = True
        self.wake.set()


class Enrolment:
    """Puts citadel and membership behind gRPC. All of it runs in one event loop."""

    def __init__(
        self,
        citadel: Citadel,
        membership: Membership,
        life_s: Callable[[], float],
        say: Callable[[str], None],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """life_s: of certificates, as the intent says it now. say: told one line of news.

        wall: seconds since 1970, for certificates; clock: monotonic seconds, for leases.
        """
        self._citadel = citadel
        self._membership = membership
        self._life_s = life_s
        self._say = say
        self._wall = wall
        self._clock = clock
        self._seats: dict[tuple[str, str], Seat] = {}
        self._complaint = ""

    def join_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the join port: `Join`."""
        return grpc.method_handlers_generic_handler(
            MESH, {JOIN: grpc.unary_unary_rpc_method_handler(self._join)}
        )

    def node_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the node port: `Renew` and `Attend`."""
        methods = {
            RENEW: grpc.unary_unary_rpc_method_handler(self._renew),
            ATTEND: grpc.stream_stream_rpc_method_handler(self._attend),
        }
        return grpc.method_handlers_generic_handler(MESH, methods)

    def join_credentials(self) -> grpc.ServerCredentials:
        """For the join port: we prove who we are, callers need not."""
        return ServerIdentity(self._citadel, self._wall, self._say, False).credentials()

    def node_credentials(self) -> grpc.ServerCredentials:
        """For the node port: callers have a certificate of ours. Both follow every rotation."""
        return ServerIdentity(self._citadel, self._wall, self._say, True).credentials()

    async def run(self) -> None:
        """Until it is cancelled: leases run out, and replacing an authority goes on."""
        loop = asyncio.get_running_loop()
        # an operator's wish comes in another thread
        self._citadel.on_change = lambda: loop.call_soon_threadsafe(self.wake)
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """What time alone changes."""
        try:
            for service, instance in self._membership.expire(self._clock()):
                self._say(f"{service}/{instance} is silent: no endpoint any more")
            self._citadel.look(self._wall())
        except (sqlite3.Error, OSError, Busy) as error:
            self._complain(error)

    def wake(self) -> None:
        """All agents are told what is new."""
        for seat in self._seats.values():
            seat.wake.set()

    async def _join(self, body: bytes, context: Context) -> bytes:
        try:
            asked = read(Application, body)
            check_service(asked.service)
            check_instance(asked.instance)
            name = asked.service, asked.instance
            csr, now = asked.csr.encode(), self._wall()
            signed = self._citadel.join(asked.token, csr, *name, self._life_s(), now)
        except TokenRefused as error:
            self._say(f"{asked.service}/{asked.instance} at {context.peer()} refused: {error}")
            return await _refuse(context, grpc.StatusCode.UNAUTHENTICATED, error)
        except ValueError as error:
            self._say(f"join from {context.peer()} refused: {error}")
            return await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        except (sqlite3.Error, OSError, Busy) as error:
            self._complain(error)
            return await _refuse(context, grpc.StatusCode.UNAVAILABLE, "not now; ask again")
        self._say(f"{asked.service}/{asked.instance} joined")
        return self._granted(signed)

    async def _renew(self, body: bytes, context: Context) -> bytes:
        peer = await self._peer(context)
        try:
            csr = read(Renewal, body).csr.encode()
            signed = self._citadel.sign(csr, *peer.name, self._life_s(), self._wall())
        except ValueError as error:
            self._say(f"{peer} refused: {error}")
            return await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        except (sqlite3.Error, OSError, Busy) as error:
            self._complain(error)
            return await _refuse(context, grpc.StatusCode.UNAVAILABLE, "not now; ask again")
        return self._granted(signed)

    async def _attend(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        seat = Seat(await self._peer(context))
        before = self._seats.get(seat.peer.name)
        if before:
            before.take()
        self._seats[seat.peer.name] = seat
        hearing = asyncio.create_task(self._hear_all(requests, seat))
        try:
            async for instruction in self._instructions(seat, hearing):
                yield written(instruction)
            hearing.result()
        except ValueError as error:
            self._say(f"{seat.peer} refused: {error}")
            await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        finally:
            hearing.cancel()
            if self._seats.get(seat.peer.name) is seat:
                del self._seats[seat.peer.name]
        if seat.is_taken:
            await _refuse(context, grpc.StatusCode.ABORTED, "another agent attends in this name")

    async def _instructions(
        self, seat: Seat, hearing: asyncio.Task[None]
    ) -> AsyncIterator[Instruction]:
        """As they become due, until the agent is done, or has been replaced, or its certificate has
        ended.
        """
        while not seat.is_taken and not hearing.done() and self._wall() < seat.peer.ends_at:
            seat.wake.clear()
            due = self._due(seat)
            if due != seat.told:
                seat.told = due
                yield due
            waking = asyncio.create_task(seat.wake.wait())
            rest_s = seat.peer.ends_at - self._wall()
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait((hearing, waking), timeout=max(0.0, rest_s), return_when=first)
            waking.cancel()

    def _due(self, seat: Seat) -> Instruction:
        authorities = self._citadel.authorities().decode()
        renew = self._citadel.must_renew(seat.peer)
        return Instruction(self._membership.lease_s, authorities, renew)

    async def _hear_all(self, requests: AsyncIterator[bytes], seat: Seat) -> None:
        async for body in requests:
            heartbeat = read(Heartbeat, body)
            if seat.is_taken:
                return
            try:
                self._hear(seat, heartbeat)
            except (sqlite3.Error, OSError, Busy) as error:
                self._complain(error)  # it is known, and not written down
            if heartbeat.leaving:
                self._say(f"{seat.peer} leaves")
                return

    def _hear(self, seat: Seat, heartbeat: Heartbeat) -> None:
        peer = seat.peer
        if heartbeat.leaving or not heartbeat.is_well or not heartbeat.url:
            self._membership.leave(peer.name)
        else:
            self._membership.hear(peer.name, heartbeat.url, heartbeat.version, self._clock())
        believes = heartbeat.authorities
        self._citadel.confirm(peer, heartbeat.serial, believes, self._wall())

    async def _peer(self, context: Context) -> Peer:
        try:
            return peer_of(context.auth_context(), self._wall())
        except ValueError as error:
            self._say(f"{context.peer()} refused: {error}")
            await _refuse(context, grpc.StatusCode.PERMISSION_DENIED, error)
            raise  # which it has done already

    def _granted(self, signed: bytes) -> bytes:
        return written(Grant(signed.decode(), self._citadel.authorities().decode()))

    def _complain(self, error: Exception) -> None:
        complaint = f"state: {type(error).__name__} {error}"
        if complaint != self._complaint:
            self._say(complaint)
        self._complaint = complaint


async def _refuse(context: Context, code: grpc.StatusCode, reason: object) -> bytes:
    await context.abort(code, str(reason)[:500])
    return b""  # never: abort raises
