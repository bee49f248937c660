"""Tells the control plane again and again how its instance is, and hears what is to be done.

    connect ──▶ heartbeats out, instructions in ──▶ lost, or another certificate ──▶ connect …

While the control plane is away nothing here stops: the proxy keeps its secrets, and who is there
stays there. When it is back it hears of us within `BACKOFF.cap_s`, before anybody's lease is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

from era4_framework.config import BackoffConfig
from era4_framework.policies.backoff import Backoff
from era6_control_plane import pilot_link
from era6_control_plane.credential import Credential
from era6_control_plane.pilot_link import Attending, LinkLost, Refused
from era6_control_plane.words import BEATS_PER_LEASE, Heartbeat, Instruction

BACKOFF = BackoffConfig(base_s=0.05, cap_s=0.5)
FAREWELL_S = 1.0


class Attendant:
    """Of one node. `news` may be called at any time: it is told at once."""

    def __init__(
        self,
        nodes: str,
        heartbeat_s: float,
        credential: Callable[[], Credential],
        heartbeat: Callable[[], Heartbeat],
        obey: Callable[[Instruction], None],
        rng: Random,
        say: Callable[[str], None],
    ) -> None:
        """nodes: where. credential, heartbeat: as they are now. obey: told of each instruction."""
        self._nodes = nodes
        self._heartbeat_s = heartbeat_s
        self._credential = credential
        self._heartbeat = heartbeat
        self._obey = obey
        self._backoff = Backoff(BACKOFF, rng)
        self._say = say
        self._news = asyncio.Event()
        self._is_leaving = False
        self._retry = 0
        self._complaint = ""

    def news(self) -> None:
        """Something is another than it was."""
        self._news.set()

    async def run(self) -> None:
        """Until it has taken leave, or is cancelled."""
        while not self._is_leaving:
            before = self._credential()
            try:
                await self._one_connection(before)
                complaint = "the stream has ended"
            except (LinkLost, Refused) as error:
                complaint = str(error)
            if self._credential() is before and not self._is_leaving:
                self._complain(complaint)
                await asyncio.sleep(self._backoff.wait_s(self._retry))
                self._retry += 1

    def leave(self) -> None:
        """The next heartbeat is the last."""
        self._is_leaving = True
        self._news.set()

    async def _one_connection(self, credential: Credential) -> None:
        channel = pilot_link.channel(self._nodes, credential.authorities, credential.pair)
        async with channel as opened:
            attending = Attending(opened)
            beating = asyncio.create_task(self._beat(attending, credential))
            hearing = asyncio.create_task(self._hear(attending))
            try:
                await asyncio.wait((beating, hearing), return_when=asyncio.FIRST_COMPLETED)
                if self._is_leaving:  # it was the last word: let it arrive
                    await asyncio.wait((hearing,), timeout=FAREWELL_S)
            finally:
                beating.cancel()
                hearing.cancel()
                ends = await asyncio.gather(hearing, beating, return_exceptions=True)
            # why it ended the other side has told in its status, which `hear` raises
            for end in ends:
                if isinstance(end, Exception):
                    raise end

    async def _beat(self, attending: Attending, credential: Credential) -> None:
        """Until leave is taken, or the connection is of a certificate that was."""
        while self._credential().pair is credential.pair:
            self._news.clear()
            heartbeat = self._heartbeat()
            await attending.say(heartbeat)
            if heartbeat.leaving:  # and not one that we began before we knew
                await attending.finish()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._heartbeat_s)

    async def _hear(self, attending: Attending) -> None:
        while instruction := await attending.hear():
            if self._complaint:
                self._say("control plane is back")
            self._retry, self._complaint = 0, ""
            if instruction.lease_s > 0:
                most_s = instruction.lease_s / BEATS_PER_LEASE
                self._heartbeat_s = min(self._heartbeat_s, most_s)
            self._obey(instruction)

    def _complain(self, complaint: str) -> None:
        if not self._complaint:
            self._say(f"control plane at {self._nodes}: {complaint}; what was said stays in force")
        self._complaint = complaint

    def __repr__(self) -> str:
        return f"<Attendant at {self._nodes}{', lost' if self._complaint else ''}>"
