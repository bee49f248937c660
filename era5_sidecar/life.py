"""A sidecar from its start to its end: sockets, the registry, the service's health, signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from era4_framework.config_rules import ConfigError
from era5_sidecar.admin import Admin
from era5_sidecar.config import placed, shown
from era5_sidecar.health import Health
from era5_sidecar.inheritance import AGAIN, Notice, listeners
from era5_sidecar.last_good import Keeping, Reading, read_first
from era5_sidecar.listening import url_of
from era5_sidecar.proxy import Proxy, say
from era5_sidecar.registration import Registration
from era5_sidecar.starting import allow_files, as_started, open_all
from era5_sidecar.transparent import use_mark

BREATH_S = 0.5  # how often the supervisor hears that we are alive
PLAIN = "ERAS_PLAIN_ASYNCIO"  # set: without uvloop, as where there is none


class Life:
    """A proxy from its start to its end."""

    def __init__(self, path: Path, ready: Callable[[str], None]) -> None:
        """Raises ConfigError."""
        self._path = path
        self._ready = ready
        is_again = bool(os.environ.pop(AGAIN, ""))
        self._reading, trouble = read_first(path, is_again)  # what is in force
        self._config = self._reading.config  # as we were started
        self._found: dict[str, str] = {}  # where we listen, by key
        self._keeping = Keeping(path, say)
        if trouble:
            say(f"{trouble}; what was said before stays in force")
        self._notice = Notice.from_environment()
        try:
            use_mark(self._config.mark)
            self._proxy = Proxy(self._config, random.Random(), is_again=is_again)
        except ConfigError as error:
            raise placed(path, error) from error
        self._registration = Registration(self._proxy.outbound.know, say)
        self._end = asyncio.Event()
        self._is_well = asyncio.Event()
        self._is_succeeded = False  # another one has taken over
        self._reloading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Until a signal, or the end of the supervisor. Raises OSError, ConfigError."""
        config, proxy = self._config, self._proxy
        at = listeners() or open_all(config.listens())
        self._found = {"inbound.listen": url_of(at["inbound"]), "admin_listen": url_of(at["admin"])}
        await self._registration.follow(config)  # first: who comes in at once must find somebody
        await proxy.start(at)
        try:
            self._registration.prepare(config, proxy.url)
        except ConfigError as error:
            raise placed(self._path, error) from error
        inbound = config.inbound
        health = Health(
            config.app, inbound.health_path, inbound.health_every_s, self._on_health, say
        )
        admin = Admin(self._why_not_ready, self._stats, lambda: shown(self._proxy.config), self.end)
        await admin.serve(at["admin"])
        self._hear_signals()
        await health.start()
        breath = asyncio.create_task(self._breathe())
        waits = [asyncio.create_task(each.wait()) for each in (self._is_well, self._end)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not self._end.is_set():
            self._tell_ready()
        await self._end.wait()
        await health.stop()
        await self._leave_registry()
        await proxy.drain(proxy.config.inbound.settle_s, proxy.config.inbound.drain_s)
        await self._registration.unfollow()
        await admin.close()
        breath.cancel()

    def end(self) -> None:
        """Leave in good order."""
        self._end.set()

    async def _reload(self) -> None:
        """SIGHUP, perhaps two at once: each would stop the other's questions to the registry."""
        async with self._one_at_a_time:
            await self._obey_file()

    async def _obey_file(self) -> None:
        """What it says now, if it makes sense; else what it said before."""
        try:
            reading = Reading.of(self._path)
            config, later = as_started(self._config, reading.config, self._found)
            await self._proxy.apply(config)
        except ConfigError as error:
            say(f"{placed(self._path, error)}; what was said before stays in force")
            return
        self._reading = reading
        self._keep()
        await self._registration.follow(config)
        rest = f"; at the next upgrade: {', '.join(later)}" if later else ""
        say(f"{self._path.name} is in force{rest}")
        self._notice.ready()

    async def _on_health(self, well: bool) -> None:
        """Our service answers, or does not: only one that does is to be found."""
        if not well:
            self._is_well.clear()
            await self._registration.give_back()
            return
        await self._registration.take()
        self._is_well.set()

    async def _leave_registry(self) -> None:
        if self._is_succeeded:
            await self._registration.leave_to_successor()
        else:
            await self._registration.give_back()

    def _tell_ready(self) -> None:
        gc.collect()
        gc.freeze()  # what was made by now stays: no collection need look at it again
        self._keep()
        self._notice.ready()
        if self._notice.fileno() < 0:  # else the supervisor tells
            self._ready(self._proxy.url)

    def _keep(self) -> None:
        if not self._end.is_set():  # else another one is in our place, and keeps its own
            self._keeping.keep(self._reading.raw)

    async def _breathe(self) -> None:
        while True:
            self._notice.alive()
            await asyncio.sleep(BREATH_S)

    def _stats(self) -> bytes:
        return self._proxy.metrics.exposition()

    def _why_not_ready(self) -> str:
        if self._end.is_set():
            return "it is leaving"
        return "" if self._is_well.is_set() else f"{self._config.app} does not answer yet"

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        loop.add_signal_handler(signal.SIGHUP, self._begin_reload)
        loop.add_signal_handler(signal.SIGUSR2, self._succeed)
        if self._notice.fileno() >= 0:
            loop.add_reader(self._notice.fileno(), self.end)

    def _begin_reload(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._reload())

    def _succeed(self) -> None:
        """SIGUSR2: another one has our sockets and our place in the registry."""
        self._is_succeeded = True
        self.end()


def live(config: Path, ready: Callable[[str], None]) -> None:
    """The whole of it; `ready` is told where the inbound listener is."""
    allow_files()

    async def run() -> None:
        await Life(config, ready).run()

    with contextlib.suppress(KeyboardInterrupt):
        in_a_loop(run)


def in_a_loop(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """To its end; the loop is uvloop's where there is one."""
    if not os.environ.get(PLAIN):
        with contextlib.suppress(ImportError):
            import uvloop

            uvloop.run(run())
            return
    asyncio.run(run())
