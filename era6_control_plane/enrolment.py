"""How an instance gets in, stays in, and keeps its certificate: `Join`, `Renew` and `Attend`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import grpc

from era6_control_plane.attendance import Attendance
from era6_control_plane.citadel import Citadel
from era6_control_plane.identity import check_instance, check_service
from era6_control_plane.membership import Membership
from era6_control_plane.refusing import TROUBLE, Context, known_peer, refuse
from era6_control_plane.server_identity import ServerIdentity
from era6_control_plane.tokens import TokenRefused
from era6_control_plane.words import (
    ATTEND,
    JOIN,
    MESH,
    RENEW,
    Application,
    Grant,
    Renewal,
    read,
    written,
)

LOOK_EVERY_S = 0.1
DEAF_S = 0.5  # who hears nobody for so long must not say that others were silent


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
        self._attendance = Attendance(citadel, membership, say, self._complain, wall, clock)
        self._complaint = ""

    def join_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the join port: `Join`."""
        return grpc.method_handlers_generic_handler(
            MESH, {JOIN: grpc.unary_unary_rpc_method_handler(self._join)}
        )

    def node_handler(self) -> grpc.GenericRpcHandler:
        """For the server of the node port: `Renew` and `Attend`."""
        return grpc.method_handlers_generic_handler(
            MESH,
            {
                RENEW: grpc.unary_unary_rpc_method_handler(self._renew),
                ATTEND: grpc.stream_stream_rpc_method_handler(self._attendance.attend),
            },
        )

    def join_credentials(self) -> grpc.ServerCredentials:
        """For the join port: we prove who we are, callers need not."""
        return ServerIdentity(self._citadel, self._wall, self._say, False).credentials()

    def node_credentials(self) -> grpc.ServerCredentials:
        """For the node port: callers have a certificate of ours. Both follow every rotation."""
        return ServerIdentity(self._citadel, self._wall, self._say, True).credentials()

    async def run(self) -> None:
        """Until it is cancelled: leases run out, and replacing an authority goes on."""
        loop = asyncio.get_running_loop()

        def wake() -> None:  # an operator's wish comes in another thread
            loop.call_soon_threadsafe(self._attendance.wake)

        self._citadel.on_change = wake
        while True:
            self.look()
            began = self._clock()
            await asyncio.sleep(LOOK_EVERY_S)
            if (now := self._clock()) > began + DEAF_S:  # we stood still; what they said is waiting
                self._membership.renew(now)

    def look(self) -> None:
        """What time alone changes."""
        try:
            for service, instance in self._membership.expire(self._clock()):
                self._say(f"{service}/{instance} is silent")
            if self._citadel.look(now := self._wall()):
                self._say(f"authorities: {self._citadel.status(now)['stage']}")
        except TROUBLE as error:
            self._complain(error)

    async def _join(self, body: bytes, context: Context[bytes, bytes]) -> bytes:
        now = self._wall()
        try:
            asked = read(Application, body)
            check_service(asked.service)
            check_instance(asked.instance)
            name, csr = (asked.service, asked.instance), asked.csr.encode()
            signed = self._citadel.join(asked.token, csr, *name, self._life_s(), now)
        except TokenRefused as error:
            self._say(f"{asked.service}/{asked.instance} at {context.peer()} refused: {error}")
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, error)
        except ValueError as error:
            self._say(f"{context.peer()} refused: {error}")
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        except TROUBLE as error:
            self._complain(error)
            await refuse(context, grpc.StatusCode.UNAVAILABLE, "not now; ask again")
        self._say(f"{asked.service}/{asked.instance} joined")
        return self._granted(signed)

    async def _renew(self, body: bytes, context: Context[bytes, bytes]) -> bytes:
        """For the name that is in its certificate; what it writes says nothing of that."""
        peer = await known_peer(context, self._wall(), self._say)
        try:
            csr = read(Renewal, body).csr.encode()
            signed = self._citadel.sign(csr, *peer.name, self._life_s(), self._wall())
        except ValueError as error:
            self._say(f"{peer} refused: {error}")
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        except TROUBLE as error:
            self._complain(error)
            await refuse(context, grpc.StatusCode.UNAVAILABLE, "not now; ask again")
        return self._granted(signed)

    def _granted(self, signed: bytes) -> bytes:
        return written(Grant(signed.decode(), self._citadel.authorities().decode()))

    def _complain(self, error: Exception) -> None:
        complaint = f"state: {type(error).__name__} {error}"
        if complaint != self._complaint:
            self._say(complaint)
        self._complaint = complaint

    def __repr__(self) -> str:
        return f"<Enrolment, {self._attendance!r}>"
