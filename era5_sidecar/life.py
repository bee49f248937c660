"""A sidecar from its start to its end: sockets, the registry, the service's health, signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from era0_naive.role import host_and_port
from era4_framework.config_rules import ConfigError
from era5_sidecar.admin import Admin
from era5_sidecar.config import SidecarConfig, read, shown
from era5_sidecar.discovery import Discovery, Instance
from era5_sidecar.health import Health
from era5_sidecar.inheritance import Notice, listeners
from era5_sidecar.lease import Lease
from era5_sidecar.proxy import BACKLOG, Proxy, say
from era5_sidecar.transparent import use_mark

PLAIN = "ERAS_PLAIN_ASYNCIO"  # set: without uvloop, as where there is none


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
        use_mark(config.mark)
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


def live(config: Path, ready: Callable[[str], None]) -> None:
    """The whole of it; `ready` is told where the inbound listener is."""
    _allow_files()

    async def run() -> None:
        await Life(config, ready).run()

    with contextlib.suppress(KeyboardInterrupt):
        if not os.environ.get(PLAIN):
            with contextlib.suppress(ImportError):
                import uvloop

                uvloop.run(run())
                return
        asyncio.run(run())


def _allow_files() -> None:
    """As many connections as the machine allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
