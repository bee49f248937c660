"""The shell around a bought proxy: Synapse and Nerve, in one process and for our registry.

It asks the registry who is where, writes the program's configuration anew when that has changed and
tells the program; it registers its own instance while the application is well. The program that
dies is started again at once, after that more and more slowly.
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from era5_sidecar.bought.ports import at_same_ports, with_ports
from era5_sidecar.bought.program import LOOK_AGAIN_S, Program
from era5_sidecar.config import ConfigError, SidecarConfig, read
from era5_sidecar.discovery import Discovery
from era5_sidecar.health import Health
from era5_sidecar.lease import Lease

START_S = 10.0


def run(program: str, path: Path, ready: Callable[[str], None]) -> None:
    """Read the file, stand beside the service until told to stop.

    Raises ConfigError, Missing, OSError before it was ready.
    """
    config = with_ports(read(path))
    inbound, outbound = config.inbound.listen, config.outbound.listen if config.outbound else "none"
    admin = config.admin_listen
    print(f"sidecar listens inbound={inbound} outbound={outbound} admin={admin}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sidecar-") as folder:
        asyncio.run(_stand(Program(program, config, Path(folder), _say), path, ready))


async def _stand(program: Program, path: Path, ready: Callable[[str], None]) -> None:
    config, over = program.config, asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGHUP, _reread, program, path)
    discovery, health, lease = _neighbours(program, config)
    if discovery:
        await discovery.start()  # so that the first file names everybody
    program.write()
    program.start()
    keeper = asyncio.create_task(program.keep())
    try:
        await _listens(config.inbound.listen, over)
        await health.start()
        while not over.is_set() and not (lease.is_held if lease else health.is_well):
            await asyncio.sleep(LOOK_AGAIN_S)
        if not over.is_set():
            ready(config.inbound.listen)
        await over.wait()
        await health.stop()
        if lease:
            await lease.give_back()
            await asyncio.sleep(config.inbound.settle_s)
    finally:
        if discovery:
            await discovery.stop()
        await program.finish()
        keeper.cancel()


def _neighbours(
    program: Program, config: SidecarConfig
) -> tuple[Discovery | None, Health, Lease | None]:
    """Who is where, is the application well, and are we registered."""
    discovery = lease = None
    asked = config.outbound.services if config.outbound else {}
    if config.registry:
        polls = {name: up.client.poll_s for name, up in asked.items() if not up.endpoints}
        discovery = Discovery(config.registry, polls, program.learn, _say)
    if config.registry and config.registers():
        names = config.service, config.instance
        lease = Lease(config.registry, *names, config.inbound, config.inbound.listen, _say)

    async def change(is_well: bool) -> None:
        if lease:
            await (lease.take() if is_well else lease.give_back())

    inbound = config.inbound
    health = Health(config.app, inbound.health_path, inbound.health_every_s, change, _say)
    return discovery, health, lease


def _reread(program: Program, path: Path) -> None:
    """SIGHUP: the new file, if it is one; the addresses stay."""
    before = program.config
    try:
        program.config = at_same_ports(read(path), before)
        if program.write():
            program.reload()
        _say(f"{path.name} is in force")
    except ConfigError as error:
        program.config = before
        _say(f"configuration not taken over: {error}")


async def _listens(url: str, over: asyncio.Event) -> None:
    """Until somebody accepts connections there. Raises OSError after START_S."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    loop = asyncio.get_running_loop()
    until = loop.time() + START_S
    while not over.is_set():
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        except OSError:
            if loop.time() > until:
                raise
            await asyncio.sleep(LOOK_AGAIN_S)


def _say(line: str) -> None:
    print(f"sidecar: {line}", file=sys.stderr, flush=True)
