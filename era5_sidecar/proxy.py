"""The sidecar: everything that era 4 linked into a service, in a process beside it.

                     +--------------------------------------------+
    callers ──TLS──▶ | inbound:  who may, how many, until when    | ──▶ our service
                     |                                            |
    others  ◀──TLS── | outbound: whom, how long, whether again    | ◀── our service, by http_proxy
                     +--------------------------------------------+

Read on in side.py (what happens to a connection), inbound.py and outbound.py (to a request),
exchange.py (to one attempt). This file puts them together, and changes what they are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from era0_naive.role import host_and_port
from era4_framework.config_rules import ConfigError
from era5_sidecar.access_log import AccessLog
from era5_sidecar.admin import Admin
from era5_sidecar.config import SidecarConfig, read, shown
from era5_sidecar.connection import Sweep
from era5_sidecar.discovery import Discovery, Instance
from era5_sidecar.health import Health
from era5_sidecar.inbound import Inbound
from era5_sidecar.inheritance import Notice, listeners
from era5_sidecar.lease import Lease
from era5_sidecar.metrics import Metrics
from era5_sidecar.outbound import Outbound
from era5_sidecar.side import Door
from era5_sidecar.tape import Tape
from era5_sidecar.tls import client_context, peer_name, server_context
from era5_sidecar.tracing import Spans
from era5_sidecar.upstream import Dialling
from era5_sidecar.watching import Watching

IDLE_SWEEP_S = 0.25
LOOK_S = 0.02  # while it drains
BACKLOG = 1024
PLAIN = "ERAS_PLAIN_ASYNCIO"  # set: without uvloop, as where there is none


def say(line: str) -> None:
    """A line for whoever runs this."""
    print(f"sidecar: {line}", file=sys.stderr, flush=True)


class Proxy:
    """One process's sidecar. `apply` gives it other numbers without dropping a request."""

    def __init__(self, config: SidecarConfig, rng: random.Random) -> None:
        self.config = config
        self.metrics = Metrics()
        self.log = AccessLog(config.log, say)
        watching = Watching(config.service, self.metrics, self.log, Tape(config.instance))
        self._fast, self._slow = Sweep(), Sweep(IDLE_SWEEP_S)
        spans = Spans(rng)
        self.inbound = Inbound(config, self._dialling(config), spans, watching)
        waits = self.inbound.waits
        self.outbound = Outbound(config, self._dialling(config), spans, watching, waits, rng)
        self._doors = {
            "inbound": Door(self.inbound, self._slow, self._most_connections),
            "outbound": Door(self.outbound, self._slow, self._most_connections),
        }
        self._servers: list[asyncio.AbstractServer] = []
        self._work: list[asyncio.Task[None]] = []
        self.url = ""  # of the inbound listener
        self._watch()

    async def start(self, at: dict[str, socket.socket]) -> None:
        """Serve on these sockets, by name. Raises OSError, ConfigError."""
        loop = asyncio.get_running_loop()
        tls = self.config.tls
        guarded = server_context(tls) if tls and not self.config.inbound.is_edge else None
        for name, door in self._doors.items():
            if name in at:
                ssl = guarded if name == "inbound" else None
                server = await loop.create_server(door, sock=at[name], ssl=ssl, backlog=BACKLOG)
                self._servers.append(server)
        host, port = at["inbound"].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self._begin(self._fast.run())
        self._begin(self._slow.run())
        self._begin(self._write_log())

    def apply(self, config: SidecarConfig) -> None:
        """From now on; who is being served is served to the end by what was said before."""
        self.log.reopen()
        self.config = config
        self.outbound.redial(self._dialling(config))
        self.inbound.apply(config)
        self.outbound.apply(config)

    async def drain(self, settle_s: float, drain_s: float) -> None:
        """Serve on until callers have noticed, then end as soon as nobody is being served.

        Whoever asks meanwhile is told that this was the last answer on its connection. One that is
        idle all the time is closed after that: a moment earlier, and its next request may be lost.
        """
        self.inbound.is_leaving = self.outbound.is_leaving = True
        await asyncio.sleep(settle_s)
        for server in self._servers:
            server.close()
        inside = [door.inside for door in self._doors.values()]
        until = asyncio.get_running_loop().time() + drain_s
        while any(inside) and asyncio.get_running_loop().time() < until:
            for each in [each for group in inside for each in group if each.is_idle]:
                each.close()
            await asyncio.sleep(LOOK_S)
        for task in self._work:
            task.cancel()
        self.log.flush()

    def _dialling(self, config: SidecarConfig) -> Dialling:
        most = config.limits.most_buffer_bytes
        if config.tls is None:
            return Dialling(self._fast, most)
        return Dialling(self._fast, most, client_context(config.tls), peer_name)

    def _most_connections(self) -> int:
        return self.config.limits.most_connections

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._work.append(asyncio.get_running_loop().create_task(work))

    async def _write_log(self) -> None:
        while True:
            await asyncio.sleep(self.config.log.every_s)
            self.log.flush()

    def _watch(self) -> None:
        gauge = self.metrics.gauge
        doors = self._doors
        gauge(
            "in_flight",
            "sent and not answered yet",
            ("callee", "instance"),
            lambda: [
                ((up.name, each.instance.name), each.in_flight)
                for up in self.outbound.upstreams()
                for each in up.endpoints
            ],
        )
        gauge(
            "breaker_state",
            "0 closed, 1 half open, 2 open",
            ("callee", "instance"),
            lambda: [
                ((up.name, each.instance.name), STATES[each.breaker.state.value])
                for up in self.outbound.upstreams()
                for each in up.endpoints
            ],
        )
        gauge(
            "serving",
            "let in and not answered yet",
            (),
            lambda: [((), self.inbound.in_flight())],
        )
        gauge(
            "connections",
            "open now",
            ("direction",),
            lambda: [((name,), len(door.inside)) for name, door in doors.items()],
        )
        gauge(
            "turned_away_total",
            "connections beyond most_connections",
            ("direction",),
            lambda: [((name,), door.turned_away) for name, door in doors.items()],
        )


STATES = {"closed": 0.0, "half open": 1.0, "open": 2.0}


class Life:
    """A proxy from its start to its end: whom it registers, what signals tell it."""

    def __init__(self, path: Path, ready: Callable[[str], None]) -> None:
        self._path = path
        self._ready = ready
        self._config = read(path)
        self._end = asyncio.Event()
        self._is_succeeded = False  # another one has taken over

    async def run(self) -> None:
        config = self._config
        at = listeners() or open_all(config)
        notice = Notice.from_environment()
        proxy = self._proxy = Proxy(config, random.Random())
        discovery = self._discovery(config)
        if discovery:
            await discovery.start()  # first: who comes in at once must find somebody
        await proxy.start(at)
        lease = self._lease(config)
        self._is_well = asyncio.Event()
        health = Health(
            config.app,
            config.inbound.health_path,
            config.inbound.health_every_s,
            lambda well: self._on_health(well, lease),
            say,
        )
        admin = Admin(
            self._why_not_ready, proxy.metrics.exposition, lambda: shown(proxy.config), self.end
        )
        await admin.serve(at["admin"])
        self._hear_signals(notice)
        await health.start()
        waits = [asyncio.create_task(each.wait()) for each in (self._is_well, self._end)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        gc.collect()
        gc.freeze()  # what was made by now stays: no collection need look at it again
        if not self._end.is_set():
            notice.ready()
            self._ready(proxy.url)
        await self._end.wait()
        await health.stop()
        if lease and not self._is_succeeded:
            await lease.give_back()
        await proxy.drain(proxy.config.inbound.settle_s, proxy.config.inbound.drain_s)
        if discovery:
            await discovery.stop()
        await admin.close()

    def end(self) -> None:
        """Leave in good order."""
        self._end.set()

    def reload(self) -> None:
        """SIGHUP: what the file says now, if it makes sense; else what it said before."""
        try:
            config = read(self._path)
            self._proxy.apply(config)
            say(f"{self._path.name} is in force")
        except ConfigError as error:
            say(f"{error}; what was said before stays in force")

    def _succeed(self) -> None:
        self._is_succeeded = True
        self._end.set()

    def _why_not_ready(self) -> str:
        if self._end.is_set():
            return "it is leaving"
        return "" if self._is_well.is_set() else f"{self._config.app} does not answer yet"

    async def _on_health(self, well: bool, lease: Lease | None) -> None:
        if well:
            if lease:
                await lease.take()
            self._is_well.set()
        else:
            self._is_well.clear()
            if lease:
                await lease.give_back()

    def _discovery(self, config: SidecarConfig) -> Discovery | None:
        if config.registry is None or config.outbound is None:
            return None
        asked = {
            name: told.client.poll_s
            for name, told in config.outbound.services.items()
            if not told.endpoints
        }

        def heard(service: str, instances: Sequence[Instance]) -> None:
            self._proxy.outbound.know(service, instances)

        return Discovery(config.registry, asked, heard, say)

    def _lease(self, config: SidecarConfig) -> Lease | None:
        if config.registry is None or config.inbound.is_edge:
            return None
        return Lease(
            config.registry, config.service, config.instance, config.inbound, self._proxy.url, say
        )

    def _hear_signals(self, notice: Notice) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGUSR2, self._succeed)
        if notice.fileno() >= 0:
            loop.add_reader(notice.fileno(), self.end)


def open_all(config: SidecarConfig) -> dict[str, socket.socket]:
    """Listening sockets, where no supervisor hands any over. Raises OSError, naming the address."""
    asked = {"inbound": config.inbound.listen, "admin": config.admin_listen}
    if config.outbound:
        asked["outbound"] = config.outbound.listen
    opened: dict[str, socket.socket] = {}
    for name, address in asked.items():
        try:
            where = host_and_port(address, "http", least_port=0)
            opened[name] = socket.create_server(where, backlog=BACKLOG)
        except OSError as error:
            raise OSError(f"{name} {address!r}: {error.strerror}") from error
    return opened


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs the proxy until it is stopped; `ready` is told where its inbound listener is."""
    _allow_files()

    async def live() -> None:
        await Life(config, ready).run()

    with contextlib.suppress(KeyboardInterrupt):
        if not os.environ.get(PLAIN):
            with contextlib.suppress(ImportError):
                import uvloop

                uvloop.run(live())
                return
        asyncio.run(live())


def _allow_files() -> None:
    """As many connections as the machine allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
