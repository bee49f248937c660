"""Keeps a real Envoy running beside a service, as Istio's agent does.

SIGUSR2: another Envoy listens at the same ports (SO_REUSEPORT) and, when it serves, the old one is
told to drain and ends. That one has another admin address; Envoy's own hot restart keeps it, but
leaves files in shared memory behind whenever somebody is killed. SIGTERM: its callers are seen off
first. If it dies, another one is started; but nobody holds its sockets meanwhile, as era 5's
supervisor does for our proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from era5_sidecar.transparent import use_mark
from era6_control_plane.bought import find
from era6_control_plane.envoy import bootstrap, command
from era6_control_plane.envoy_ports import addresses, one_free
from era6_control_plane.envoy_process import LOOK_S, Envoy
from era6_control_plane.node import NodeConfig, read

PAUSES_S = (0.0, 0.1, 0.5, 1.0)  # before it is started again, and again


class Keeper:
    """One Envoy at a time, and for a moment two."""

    def __init__(self, config: NodeConfig, folder: Path) -> None:
        """folder: of its own, for Envoy's file. Raises Missing, OSError."""
        self._held = contextlib.ExitStack()  # as long as we are there
        self.listens = addresses(config.listens(), self._held)
        self._config = config
        self._binary = find("envoy")
        self._file = folder / "envoy.json"
        self._running: Envoy | None = None
        self._is_over = False

    async def start(self) -> None:
        """A first one, or one in the place of one that has died. Raises OSError."""
        self._running = await self._launch(self.listens["admin"])

    async def ready(self) -> bool:
        """Returns when it serves, or one in its place. False: it was ended before."""
        while self._running and not self._is_over:
            if await self._running.ready(self.listens["inbound"]):
                return True
            await asyncio.sleep(LOOK_S)
        return False

    async def keep(self) -> None:
        """Start another one whenever it has ended, until `finish`."""
        deaths = 0
        while self._running and not self._is_over:
            running, began = self._running, time.monotonic()
            code = await running.process.wait()
            if self._is_over or self._running is not running:
                continue  # another one has taken over
            deaths = deaths + 1 if time.monotonic() - began < max(PAUSES_S) else 0
            pause_s = PAUSES_S[min(deaths, len(PAUSES_S) - 1)]
            say(f"Envoy ended with exit code {code}; started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            await self.start()

    async def upgrade(self) -> None:
        """Another one takes over, if it gets ready; the old one leaves. Raises OSError."""
        admin = one_free(self._config.admin_listen, self._held)
        successor = await self._launch(admin)
        try:
            async with asyncio.timeout(self._config.supervisor.upgrade_s):
                is_ready = await successor.ready(self.listens["inbound"])
        except TimeoutError:
            is_ready = False
        if not is_ready:
            successor.kill()
            say("no upgrade: the new Envoy did not get ready; the old one stays")
            return
        old, self._running = self._running, successor
        self.listens["admin"] = admin
        if old:
            await old.leave()
        say(f"upgraded: the new Envoy has taken over; admin={admin}")

    async def finish(self) -> None:
        """Let it end what it has begun, and see it off."""
        self._is_over = True
        if self._running:
            await self._running.leave()

    async def _launch(self, admin: str) -> Envoy:
        self._file.write_text(bootstrap(self._config, {**self.listens, "admin": admin}))
        process = await asyncio.create_subprocess_exec(
            *command(self._binary, str(self._file)),
            stdin=asyncio.subprocess.DEVNULL,
            env=_without_proxies(),
        )
        return Envoy(process, admin)


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs Envoy until it is stopped; `ready` is told where its inbound listener is.

    Raises ConfigError, Missing, OSError.
    """
    with tempfile.TemporaryDirectory(prefix="sidecar-") as folder:
        told = read(config)
        use_mark(told.mark)
        keeper = Keeper(told, Path(folder))
        names = ("inbound", "outbound", "admin")
        shown = " ".join(f"{name}={keeper.listens.get(name, 'none')}" for name in names)
        print(f"sidecar listens {shown}\n", end="", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_stand(keeper, ready))


async def _stand(keeper: Keeper, ready: Callable[[str], None]) -> None:
    over, upgrade = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGUSR2, upgrade.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the control plane tells, no file does
    await keeper.start()
    work = [loop.create_task(keeper.keep()), loop.create_task(_tell(keeper, ready))]
    work.append(loop.create_task(_upgrades(keeper, upgrade)))
    for task in work:
        task.add_done_callback(partial(_end_if_failed, over))
    await over.wait()
    await keeper.finish()
    for task in work:
        task.cancel()
    for error in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(error, Exception):
            raise error


def _end_if_failed(over: asyncio.Event, task: asyncio.Task[None]) -> None:
    """What goes wrong in the background must not be waited for in vain."""
    if not task.cancelled() and task.exception():
        over.set()


async def _tell(keeper: Keeper, ready: Callable[[str], None]) -> None:
    if await keeper.ready():
        ready(keeper.listens["inbound"])


async def _upgrades(keeper: Keeper, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            await keeper.upgrade()
        except OSError as error:
            say(f"no upgrade: {error}")


def say(line: str) -> None:
    """A line for whoever runs this; in one piece, as others write there, too."""
    print(f"sidecar: {line}\n", end="", file=sys.stderr, flush=True)


def _without_proxies() -> dict[str, str]:
    """A proxy that asks a proxy never ends."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
