"""The sidecar: everything that era 4 linked into a service, in a process beside it.

                     +--------------------------------------------+
    callers ──TLS──▶ | inbound:  who may, how many, until when    | ──▶ our service
                     |                                            |
    others  ◀──TLS── | outbound: whom, how long, whether again    | ◀── our service, by http_proxy
                     +--------------------------------------------+

Read on in side.py (what happens to a connection), inbound.py and outbound.py (to a request),
exchange.py (to one attempt); what these stand on is filters.py (decides), http1.py (understands),
connection.py (waits). This file puts them together, and changes what they are told: in one place,
longer than others, as what is forgotten in one of `__init__` and `apply` would stay unchanged.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from era5_sidecar.accepting import Accepting
from era5_sidecar.access_log import AccessLog
from era5_sidecar.config import SidecarConfig
from era5_sidecar.connection import Sweep
from era5_sidecar.dialling import Dialling
from era5_sidecar.gauges import tell_gauges
from era5_sidecar.handshakes import Handshakes
from era5_sidecar.inbound import Inbound
from era5_sidecar.metrics import Metrics
from era5_sidecar.outbound import Outbound
from era5_sidecar.own_certificate import Ageing, judged
from era5_sidecar.side import Door
from era5_sidecar.starting import most_callers
from era5_sidecar.tape import Tape
from era5_sidecar.tls import Identity, peer_name
from era5_sidecar.tracing import Spans
from era5_sidecar.troubles import Troubles
from era5_sidecar.watching import Watching
from era5_sidecar.ways import NO_RULER, ByName, Ruling, Steering

IDLE_SWEEP_S = 0.25
LOOK_S = 0.02  # while it drains
QUIET_S = 0.5  # whoever says nothing for so long is not about to ask


def say(line: str) -> None:
    """A line for whoever runs this; in one piece, as others write there, too."""
    print(f"sidecar: {line}\n", end="", file=sys.stderr, flush=True)


class Proxy:
    """One process's sidecar. `apply` gives it other numbers without dropping a request."""

    def __init__(
        self,
        config: SidecarConfig,
        rng: random.Random,
        ruling: Ruling = NO_RULER,
        is_again: bool = False,
    ) -> None:
        """is_again: in the place of one that died. Raises ConfigError for certificates that are
        none, or that peers will not believe; of these the latter are only said if it `is_again`,
        as whoever asks is then answered why.
        """
        self.config = config
        self._identity = _identity(config, ruling, is_again)
        self._handshakes = Handshakes(say)
        self._ageing = Ageing(say)
        self._ageing.know(self._identity)
        self._is_permissive = ruling.is_permissive
        self.metrics = Metrics()
        self.log = AccessLog(config.log, say)
        self._watching = Watching(config.service, self.metrics, self.log, Tape(config.instance))
        watching = self._watching
        self._fast, self._slow = Sweep(), Sweep(IDLE_SWEEP_S)
        spans = Spans(rng)
        self._dialling = self._how_to_dial(config)
        self.inbound = Inbound(config, self._dialling, spans, watching, ruling)
        self.outbound = Outbound(
            config.limits,
            _steering(config, ruling),
            self._dialling,
            spans,
            watching,
            self.inbound.waits,
            rng,
        )
        self._doors = {
            "inbound": Door(self.inbound, self._slow, self._most_connections),
            "outbound": Door(self.outbound, self._slow, self._most_connections),
        }
        self._troubles = Troubles(self._doors, say)
        self._most_callers = most_callers()
        self._listening: list[socket.socket] = []
        self._accepting: dict[str, Accepting] = {}
        self._work: list[asyncio.Task[None]] = []
        self.url = ""  # of the inbound listener
        sides = self.inbound, self.outbound
        tell_gauges(self.metrics, *sides, self._doors, self._handshakes, self._ageing)

    async def start(self, at: dict[str, socket.socket]) -> None:
        """Serve on these sockets, by name. Raises OSError."""
        self._listening = [at[name] for name in ("inbound", "outbound") if name in at]
        for name in self._doors.keys() & at.keys():
            failed = partial(self._handshakes.failed, name)
            self._accepting[name] = Accepting(at[name], self._doors[name], failed=failed)
        self._guard()
        host, port = at["inbound"].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self._begin(self._fast.run())
        self._begin(self._slow.run())
        self._begin(self._write_log())

    async def apply(self, config: SidecarConfig, ruling: Ruling = NO_RULER) -> None:
        """From now on; who is being served is served to the end by what was said before.

        Connections to others are kept if the ruling's identity is the one of before. Raises
        ConfigError for certificates that are none, or that peers will not believe; then nothing
        has changed.
        """
        identity = _identity(config, ruling, False)
        is_kept = identity and identity is self._identity and config.limits == self.config.limits
        if identity is not self._identity:
            self._ageing.know(identity)
        self._identity, self._is_permissive = identity, ruling.is_permissive
        if config.log == self.config.log:
            self.log.reopen()
        else:
            self.log.close()
            self.log = self._watching.log = AccessLog(config.log, say)
        self.config = config
        if not is_kept:
            self._dialling = self._how_to_dial(config)
            self.outbound.redial(self._dialling)
        self.inbound.apply(config, ruling)
        self.outbound.apply(config.limits, _steering(config, ruling))
        self._guard()

    def _guard(self) -> None:
        """A context cannot unlearn an authority: whoever comes from now on meets another one."""
        if "inbound" not in self._accepting:
            return
        inbound, identity = self._accepting["inbound"], self._identity
        inbound.guard = identity.server if identity and not self.config.inbound.is_edge else None
        inbound.within_s = self.config.limits.head_s
        inbound.is_permissive = self._is_permissive

    async def drain(self, settle_s: float, drain_s: float) -> None:
        """Serve on until callers have noticed, then end as soon as nobody is being served.

        Whoever asks meanwhile is told that this was the last answer on its connection. One that has
        been idle for long is closed: whoever has just connected is about to ask.
        """
        self.inbound.is_leaving = self.outbound.is_leaving = True
        await asyncio.sleep(settle_s)
        for accepting in self._accepting.values():
            accepting.close()
        for listening in self._listening:
            listening.close()
        doors = self._doors.values()
        until = time.monotonic() + drain_s
        # also for whoever was taken from the queue just now, and is not inside yet
        while any(door.taken() for door in doors) and (now := time.monotonic()) < until:
            for each in [each for door in doors for each in door.inside]:
                if each.idle_for_s(now) > QUIET_S:
                    each.close()
            await asyncio.sleep(LOOK_S)
        for task in self._work:
            task.cancel()
        self.log.flush()

    def _how_to_dial(self, config: SidecarConfig) -> Dialling:
        most = config.limits.most_buffer_bytes
        if self._identity is None:
            return Dialling(self._fast, most)
        told = self._identity.client, peer_name, self._handshakes
        return Dialling(self._fast, most, *told)

    def _most_connections(self) -> int:
        """On each side as many as the file says, on both not more than there are files for."""
        taken = sum(door.taken() for door in self._doors.values())
        return self.config.limits.most_connections if taken < self._most_callers else 0

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._work.append(asyncio.get_running_loop().create_task(work))

    async def _write_log(self) -> None:
        while True:
            self._ageing.look()
            await asyncio.sleep(self.config.log.every_s)
            self.log.flush()
            self._troubles.look()


def _identity(config: SidecarConfig, ruling: Ruling, is_again: bool) -> Identity | None:
    """The ruler's, who knows what it gives; or that of the files, judged."""
    if ruling.identity or config.tls is None:
        return ruling.identity
    return judged(config.tls, config.service, say if is_again else None)


def _steering(config: SidecarConfig, ruling: Ruling) -> Steering:
    return ruling.steering or ByName(config.outbound.services if config.outbound else {})


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs the proxy until it is stopped; `ready` is told where its inbound listener is."""
    from era5_sidecar.life import live  # which puts a whole life around the class above

    live(config, ready)
