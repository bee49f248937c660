"""Beside each instance: makes its key, gets its certificate, hands both to the proxy beside it.

               token, then certificates             key, certificate, authorities
    control  ◀───────────────────────────  agent  ─────────────────────────────────▶  proxy
    plane    ◀──── how it is (heartbeats) ───┴───── is it well? ──▶ application

After Istio's node agent. The key never leaves the host. When the control plane is away the proxy
keeps what it has, and the agent goes on asking. Read on in joining.py and attending.py.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from era4_framework.config import BackoffConfig
from era4_framework.policies.backoff import Backoff
from era5_sidecar.health import Health
from era5_sidecar.transparent import use_mark
from era6_control_plane.agent_socket import AgentSocket
from era6_control_plane.attending import Attendant
from era6_control_plane.authorities import hashed
from era6_control_plane.credential import Credential, Safe
from era6_control_plane.joining import Joining, NotYet
from era6_control_plane.node import NodeConfig, read
from era6_control_plane.pilot_link import LinkLost, Refused
from era6_control_plane.secrets_of import secrets_of
from era6_control_plane.wall_clock import wait_until
from era6_control_plane.words import Heartbeat, Instruction

BACKOFF = BackoffConfig(base_s=0.1, cap_s=2.0)
FAREWELL_S = 1.5
FIRST = asyncio.FIRST_COMPLETED


def say(line: str) -> None:
    """A line for whoever runs this."""
    print(f"agent: {line}", file=sys.stderr, flush=True)


class Agent:
    """From its start to its end."""

    def __init__(self, config: NodeConfig, ready: Callable[[str], None], rng: Random) -> None:
        """Raises OSError for a state folder that cannot be, ConfigError for a mark."""
        use_mark(config.mark)
        self._config = config
        self._ready = ready
        self._rng = rng
        self._safe = Safe(Path(config.agent.state))
        self._joining = Joining(config, self._safe, rng, say)
        self._end = asyncio.Event()
        self._must_renew = asyncio.Event()
        self._credential: Credential
        self._socket = AgentSocket(
            config.agent.socket,
            lambda: secrets_of(self._credential),
            lambda: self._attendant.news(),
            say,
        )
        told = config.inbound
        self._health = Health(
            config.app, told.health_path, told.health_every_s, self._on_health, say
        )
        self._attendant = Attendant(
            config.pilot.nodes,
            told.heartbeat_s,
            lambda: self._credential,
            self._heartbeat,
            self._obey,
            rng,
            say,
        )

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises OSError."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end.set)
        ending = asyncio.create_task(self._end.wait())
        starting = asyncio.create_task(self._start())
        tasks = [ending, starting]
        try:
            await asyncio.wait(tasks, return_when=FIRST)
            if self._end.is_set():
                return
            starting.result()
            attending = asyncio.create_task(self._attendant.run())
            tasks += [attending, asyncio.create_task(self._keep_certificate())]
            for each in (await asyncio.wait(tasks[:1] + tasks[2:], return_when=FIRST))[0]:
                each.result()
            self._attendant.leave()
            await asyncio.wait((attending,), timeout=FAREWELL_S)
        finally:
            for task in tasks:
                task.cancel()
            await self._health.stop()
            await self._socket.stop()

    async def _start(self) -> None:
        kept = self._safe.kept((self._config.service, self._config.instance))
        why_not = kept.why_not_good(time.time()) if kept else ""
        if kept and not why_not:
            self._credential = kept
        else:
            if why_not:
                say(why_not)
            self._adopt(await self._joining.first())
        await self._socket.start()
        await self._health.start()
        gc.collect()
        gc.freeze()  # what was made by now stays: no collection need look at it again
        self._ready(self._config.agent.socket)

    async def _keep_certificate(self) -> None:
        """Another one at half its life, or when we are told to."""
        while True:
            at, begins_at = self._credential.renew_at(self._rng), self._credential.peer.begins_at
            since = min(begins_at, time.time())  # who signs may be ahead of us: that is no jump
            await wait_until(at, self._must_renew, since=since)
            self._must_renew.clear()
            self._adopt(await self._next_credential())
            self._attendant.news()

    async def _next_credential(self) -> Credential:
        """Asked for until there is one; when ours is good no more, by a new token, too."""
        backoff, complaint, retry = Backoff(BACKOFF, self._rng), "", 0
        while True:
            try:
                return await self._joining.renewed(self._credential)
            except (LinkLost, Refused) as error:
                why_not = self._credential.why_not_good(time.time())
                news = why_not or "no new certificate yet"
                if news != complaint:
                    say(f"{news}; asked for again and again: {error}")
                complaint = news
            if why_not:
                with suppress(NotYet, OSError):
                    return await self._joining.try_once()
            await asyncio.sleep(backoff.wait_s(retry))
            retry += 1

    def _adopt(self, credential: Credential) -> None:
        """First what a restart finds, then what the proxy is told."""
        self._credential = credential
        try:
            self._safe.keep(credential)
        except OSError as error:
            say(f"{self._config.agent.state}: {error.strerror}; after a restart this is lost")
        self._socket.push()
        peer, believed = credential.peer, credential.authorities.count(b"BEGIN CERTIFICATE")
        rest_s = peer.ends_at - time.time()
        say(f"{peer}: certificate {peer.serial[-8:]} for {rest_s:.0f} s, {believed} authorities")

    def _obey(self, instruction: Instruction) -> None:
        pem = instruction.authorities.encode()
        if pem and pem != self._credential.authorities:
            try:
                self._adopt(self._credential.with_authorities(pem))
            except ValueError as error:
                say(f"authorities that are none: {error}; the last ones stay")
                return
            self._attendant.news()
        if instruction.renew:
            self._must_renew.set()

    def _heartbeat(self) -> Heartbeat:
        inbound = self._socket.neighbours.inbound(time.monotonic())
        return Heartbeat(
            url=(self._config.inbound.advertise or inbound) if inbound else "",
            version=self._config.version,
            is_well=self._health.is_well and not self._end.is_set(),
            authorities=hashed(self._credential.authorities),
            serial=self._credential.peer.serial,
            leaving=self._end.is_set(),
        )

    async def _on_health(self, _: bool) -> None:
        self._attendant.news()

    def __repr__(self) -> str:
        return f"<Agent of {self._config.service}/{self._config.instance}>"


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Until SIGTERM. ready: told `unix:PATH` once a certificate is served there."""
    told = read(config)

    async def run() -> None:
        await Agent(told, ready, Random()).run()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())
