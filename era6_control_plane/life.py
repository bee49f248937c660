"""A sidecar from its start to its end: sockets, the control plane and the agent, signals."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from era5_sidecar.admin import Admin
from era5_sidecar.config import shown
from era5_sidecar.inheritance import AGAIN, Notice, listeners
from era5_sidecar.life import BREATH_S, in_a_loop
from era5_sidecar.listening import url_of
from era5_sidecar.metrics import Metrics
from era5_sidecar.proxy import say
from era5_sidecar.starting import allow_files, open_all
from era5_sidecar.transparent import use_mark
from era6_control_plane.client import Client
from era6_control_plane.envoy import metadata
from era6_control_plane.last_good import Keeping
from era6_control_plane.names import SHORT
from era6_control_plane.node import read
from era6_control_plane.proxy import Ruled

GRACE_S = 1.0  # a control plane that says nothing for so long is dead, and what was kept counts


class Life:
    """A proxy from its start to its end."""

    def __init__(self, path: Path, ready: Callable[[str], None]) -> None:
        """Raises ConfigError."""
        self._node = read(path)
        self._ready = ready
        self._keeping = Keeping(path)
        self._notice = Notice.from_environment()
        self._is_again = bool(os.environ.pop(AGAIN, ""))
        self._end = asyncio.Event()
        self._is_ruled = asyncio.Event()
        use_mark(self._node.mark)

    async def run(self) -> None:
        """Until a signal, or the end of the supervisor. Raises OSError."""
        node = self._node
        self._at = listeners() or open_all(node.listens())
        listens = {name: url_of(each) for name, each in self._at.items()}
        rng = random.Random()
        self._ruled = Ruled(node, listens["inbound"], rng, say)
        described = {
            "id": node.instance,
            "cluster": node.service,
            "metadata": metadata(node, listens),
        }
        agent = node.agent.socket
        self._client = Client(described, node.pilot.nodes, agent, self._on_news, say, rng)
        if self._is_again:
            self._client.resources.remember(self._keeping.kept())
        admin = Admin(self._why_not_ready, self._stats, self._shown, self.end)
        await admin.serve(self._at["admin"])
        self._hear_signals()
        work = [asyncio.create_task(each) for each in (self._client.run(), self._breathe())]
        work.append(asyncio.create_task(self._fall_back()))
        ruled, end = (asyncio.create_task(each.wait()) for each in (self._is_ruled, self._end))
        await asyncio.wait((ruled, end), return_when=asyncio.FIRST_COMPLETED)
        if not self._end.is_set():
            self._tell_ready(listens["inbound"])
        await self._end.wait()
        self._client.announce(False)
        if self._ruled.proxy:
            leave = self._ruled.proxy.config.inbound
            await self._ruled.proxy.drain(leave.settle_s, leave.drain_s)
        for task in (*work, ruled):
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await admin.close()

    def end(self) -> None:
        """Leave in good order."""
        self._end.set()

    async def _on_news(self) -> None:
        client, ruled = self._client, self._ruled
        is_whole = await ruled.obey(client.resources.said(), client.credentials)
        if not is_whole or ruled.proxy is None:
            return
        if not self._is_ruled.is_set():
            await ruled.proxy.start(self._at)
            self._tell_gauges(ruled.proxy.metrics)
            self._is_ruled.set()
        self._keeping.keep(client.resources.resources())

    def _tell_gauges(self, metrics: Metrics) -> None:
        client, ruled = self._client, self._ruled
        told = "1: to the control plane; without it what was told last stays in force"
        metrics.gauge("ruled", told, (), lambda: [((), client.is_connected)])
        told = "resources that this proxy refused, and does not obey"
        refused = client.resources.refused
        metrics.gauge("refused_resources", told, (), lambda: [((), len(refused))])
        told = "1: all that was told is in force"
        metrics.gauge("obeyed", told, (), lambda: [((), not ruled.waits_for)])

    async def _fall_back(self) -> None:
        """A start without a control plane: what was in force the last time is better than none."""
        await asyncio.sleep(GRACE_S)
        kept = self._keeping.kept()
        if self._is_ruled.is_set() or self._client.is_connected or not kept:
            return
        say("the control plane does not answer; what was in force before counts until it does")
        self._client.resources.remember(kept)
        await self._on_news()

    def _tell_ready(self, url: str) -> None:
        gc.collect()
        gc.freeze()  # what was made by now stays: no collection need look at it again
        self._client.announce(True)
        self._notice.ready()
        if self._notice.fileno() < 0:  # else the supervisor tells
            self._ready(url)

    async def _breathe(self) -> None:
        while True:
            self._notice.alive()
            await asyncio.sleep(BREATH_S)

    def _stats(self) -> bytes:
        return self._ruled.proxy.metrics.exposition() if self._ruled.proxy else b""

    def _shown(self) -> dict[str, Any]:
        client = self._client
        versions = client.resources.versions()
        return {
            "is_connected": client.is_connected,
            "waits_for": self._ruled.waits_for,
            "refused": {name: why for (_, name), why in client.resources.refused.items()},
            "resources": {SHORT[kind]: found for kind, found in versions.items()},
            "config": shown(self._ruled.proxy.config) if self._ruled.proxy else None,
        }

    def _why_not_ready(self) -> str:
        if self._end.is_set():
            return "it is leaving"
        return "" if self._is_ruled.is_set() else self._ruled.waits_for

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            loop.add_signal_handler(number, self.end)
        # there is no file to be read anew; whoever asks is told that all is well
        loop.add_signal_handler(signal.SIGHUP, self._notice.ready)
        if self._notice.fileno() >= 0:
            loop.add_reader(self._notice.fileno(), self.end)


def live(config: Path, ready: Callable[[str], None]) -> None:
    """The whole of it; `ready` is told where the inbound listener is, once the first whole
    configuration is in force. config: as node.read takes it.
    """
    allow_files()
    with suppress(KeyboardInterrupt):
        in_a_loop(lambda: Life(config, ready).run())
