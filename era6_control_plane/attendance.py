"""The stream of each agent: its heartbeats come in, what it is to do goes out.

An agent that is killed says nothing; its stream may end at once or never. So the end of a stream
means nothing here: an instance is there while its lease lasts, and heartbeats are what renews it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import grpc

from era6_control_plane.citadel import Citadel
from era6_control_plane.identity import Peer
from era6_control_plane.membership import Membership
from era6_control_plane.pace import Pace
from era6_control_plane.refusing import TROUBLE, Context, known_peer, refuse
from era6_control_plane.words import Heartbeat, Instruction, read, written

HEX = re.compile(r"[0-9a-f]{0,64}")  # a hash, or the serial of a certificate


class Seat:
    """One agent's stream. Of two for one instance the later one counts: the first is a remnant."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.is_taken = False  # by a later one
        self.is_heard = False
        self.wake = asyncio.Event()
        self.told = Instruction()

    def take(self) -> None:
        """It is another's now."""
        self.is_taken = True
        self.wake.set()

    def __repr__(self) -> str:
        return f"<Seat of {self.peer}{', taken' if self.is_taken else ''}>"


class Attendance:
    """All agents that are connected. For one event loop."""

    def __init__(
        self,
        citadel: Citadel,
        membership: Membership,
        say: Callable[[str], None],
        complain: Callable[[Exception], None],
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """complain: told of trouble with the disk. The rest as `Enrolment`."""
        self._citadel = citadel
        self._membership = membership
        self._say = say
        self._complain = complain
        self._wall = wall
        self._clock = clock
        self._seats: dict[tuple[str, str], Seat] = {}

    def wake(self) -> None:
        """All agents are told what is new."""
        for seat in self._seats.values():
            seat.wake.set()

    async def attend(
        self, requests: AsyncIterator[bytes], context: Context[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        """Serves one stream: heartbeats as they come, instructions as they go out.

        Raises what gRPC wants raised when it refuses.
        """
        seat = self._seated(await known_peer(context, self._wall(), self._say))
        hearing = asyncio.create_task(self._hear_all(requests, seat))
        try:
            async for instruction in self._instructions(seat, hearing):
                yield written(instruction)
            if hearing.done():
                hearing.result()
        except ValueError as error:
            self._say(f"{seat.peer} refused: {error}")
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)
        finally:
            hearing.cancel()
            if self._seats.get(seat.peer.name) is seat:
                del self._seats[seat.peer.name]
        if seat.is_taken:
            await refuse(context, grpc.StatusCode.ABORTED, "another agent attends in this name")

    def _seated(self, peer: Peer) -> Seat:
        before = self._seats.get(peer.name)
        if before:
            before.take()
        seat = self._seats[peer.name] = Seat(peer)
        return seat

    async def _instructions(
        self, seat: Seat, hearing: asyncio.Task[None]
    ) -> AsyncIterator[Instruction]:
        """As they become due, until the agent is done, or another one has its seat, or its
        certificate has ended. The first tells it that its heartbeats are accepted.
        """
        while not seat.is_taken and not hearing.done() and self._wall() < seat.peer.ends_at:
            seat.wake.clear()
            due = self._due(seat)
            if seat.is_heard and due != seat.told:
                seat.told = due
                yield due
            waking = asyncio.create_task(seat.wake.wait())
            rest_s = max(0.0, seat.peer.ends_at - self._wall())
            first = asyncio.FIRST_COMPLETED
            try:
                await asyncio.wait((hearing, waking), timeout=rest_s, return_when=first)
            finally:
                waking.cancel()

    def _due(self, seat: Seat) -> Instruction:
        authorities = self._citadel.authorities().decode()
        renew = self._citadel.must_renew(seat.peer)
        return Instruction(self._membership.lease_s, authorities, renew)

    async def _hear_all(self, requests: AsyncIterator[bytes], seat: Seat) -> None:
        pace = Pace()
        async for body in requests:
            heartbeat = read(Heartbeat, body)
            if seat.is_taken:
                return
            try:
                self._hear(seat.peer, heartbeat)
            except TROUBLE as error:
                self._complain(error)  # it is known, and not written down
            if not seat.is_heard:
                seat.is_heard = True
                seat.wake.set()
            if heartbeat.leaving:
                self._say(f"{seat.peer} leaves")
                return
            await pace.keep()

    def _hear(self, peer: Peer, heartbeat: Heartbeat) -> None:
        if not HEX.fullmatch(heartbeat.authorities) or not HEX.fullmatch(heartbeat.serial):
            raise ValueError("authorities or serial; accepted: hex digits")
        if heartbeat.leaving or not heartbeat.is_well or not heartbeat.url:
            self._membership.leave(peer.name)
        else:
            self._membership.hear(peer.name, heartbeat.url, heartbeat.version, self._clock())
        self._citadel.confirm(peer, heartbeat.serial, heartbeat.authorities, self._wall())

    def __repr__(self) -> str:
        return f"<Attendance of {len(self._seats)}>"
