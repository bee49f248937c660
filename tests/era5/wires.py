"""Connections without sockets: a proxy's side whose peers are the test. Nothing waits or sleeps.

What a loop would do later (tell that a connection is lost) is done after each deed of a peer.
"""

from __future__ import annotations

import random
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from era4_framework.errors import ConnectFailed
from era5_sidecar.access_log import AccessLog
from era5_sidecar.config import LogConfig, SidecarConfig
from era5_sidecar.connection import Connection, Sweep
from era5_sidecar.dialling import Dialling
from era5_sidecar.endpoint import Endpoint, ToUpstream
from era5_sidecar.filters import Deadline
from era5_sidecar.inbound import Inbound
from era5_sidecar.metrics import Metrics
from era5_sidecar.outbound import Outbound
from era5_sidecar.side import Door
from era5_sidecar.tape import Tape
from era5_sidecar.tracing import Spans
from era5_sidecar.watching import Watching
from era5_sidecar.ways import ByName

HIGH_BYTES = 65536  # of what was written and not heard: asyncio's mark
LOW_BYTES = HIGH_BYTES // 4  # below which it may be written again
ARRIVES_BYTES = 65536  # at once
LONG_S = 1000.0

Later = deque[Callable[[], None]]


class NoSocket:
    """What is asked of a connection's socket."""

    family = socket.AF_UNIX

    def setsockopt(self, *told: Any) -> None:
        pass


class Wire:
    """A transport, and the peer at its other end: what it says, and what it has heard."""

    def __init__(self, protocol: Connection, later: Later, instance: str = "") -> None:
        self.instance = instance
        self.heard = b""
        self.most_held_bytes = 0  # written by us and not heard yet
        self.is_cut = False  # by us, with a reset
        self.has_ended = False  # we have said all
        self._protocol = protocol
        self._later = later
        self._unheard = bytearray()
        self._unsaid = deque[bytes]()  # waits in the kernel while nobody reads
        self._listens = True
        self.is_paused = False
        self._is_closing = False
        self._is_lost = False

    # The peer's side.

    def say(self, data: bytes) -> Wire:
        for at in range(0, len(data), ARRIVES_BYTES):
            self._unsaid.append(data[at : at + ARRIVES_BYTES])
        self._deliver()
        return self

    def listen(self, listens: bool = True) -> None:
        """From now on it reads, or it does not."""
        self._listens = listens
        self._hear()
        self._settle()

    def read(self, count: int) -> None:
        """So many bytes, and then it listens no more."""
        self._listens = False
        self.heard += self._unheard[:count]
        del self._unheard[:count]
        if len(self._unheard) <= LOW_BYTES:
            self._protocol.resume_writing()
        self._settle()

    def end(self) -> None:
        """It will say no more, but still listens."""
        if not self._is_lost and not self._protocol.eof_received():
            self.close()
        self._settle()

    def leave(self) -> None:
        """By a reset."""
        self._unsaid.clear()
        self._lose(ConnectionResetError())
        self._settle()

    @property
    def unread_bytes(self) -> int:
        """What it said and nobody took from the kernel."""
        return sum(map(len, self._unsaid))

    @property
    def is_gone(self) -> bool:
        return self._is_lost

    def _deliver(self) -> None:
        while self._unsaid and not self.is_paused and not self._is_closing:
            self._protocol.data_received(self._unsaid.popleft())
            self._settle()

    def _hear(self) -> None:
        while self._listens and self._unheard:
            self.heard += self._unheard
            self._unheard.clear()
            self._protocol.resume_writing()
        if self._is_closing and not self._unheard:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._later.append(lambda: self._protocol.connection_lost(error))

    def _settle(self) -> None:
        while self._later:
            self._later.popleft()()

    # The transport's side.

    def write(self, data: bytes) -> None:
        assert not self._is_closing
        self._unheard += data
        if self._listens:
            self.heard += self._unheard
            self._unheard.clear()
        self.most_held_bytes = max(self.most_held_bytes, len(self._unheard))
        if len(self._unheard) > HIGH_BYTES:
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self._unheard)

    def close(self) -> None:
        self._is_closing = True
        self._hear()

    def abort(self) -> None:
        self.is_cut = self.is_cut or not self._is_lost
        self._unheard.clear()
        self._lose(None)

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self._later.append(self._deliver)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def get_extra_info(self, name: str) -> NoSocket | None:
        return NoSocket() if name == "socket" else None


class House:
    """A proxy's two sides; who connects, and who is asked, are wires."""

    def __init__(self, config: SidecarConfig, monkeypatch: Any) -> None:
        self.config = config
        self.later: Later = deque()
        self.asked: list[Wire] = []  # each connection to an instance, as it was made
        self.refusing: set[str] = set()  # instances that take no connections
        self.pauses: list[float] = []  # before further attempts
        self.metrics = Metrics()
        self.waits: dict[bytes, Deadline] = {}
        self.sweep = Sweep()
        watching = Watching(
            config.service, self.metrics, AccessLog(LogConfig(), print), Tape(config.instance, "")
        )
        dialling = Dialling(self.sweep, config.limits.most_buffer_bytes)
        spans = Spans(random.Random(1))
        self.inbound = Inbound(config, dialling, spans, watching)
        waits, rng = self.inbound.waits, random.Random(2)
        steering = ByName(config.outbound.services if config.outbound else {})
        self.outbound = Outbound(config.limits, steering, dialling, spans, watching, waits, rng)
        self.doors = {
            each: Door(each, self.sweep, lambda: config.limits.most_connections)
            for each in (self.inbound, self.outbound)
        }
        house = self

        async def fresh(self: Endpoint, until: float) -> ToUpstream:
            if self.instance.name in house.refusing:
                raise ConnectFailed(f"{self.instance.name}: refused")
            made = ToUpstream(self, self.dialling)
            wire = Wire(made, house.later, self.instance.name)
            made.connection_made(wire)
            house.asked.append(wire)
            return made

        async def pause(seconds: float) -> None:
            house.pauses.append(seconds)

        monkeypatch.setattr(Endpoint, "fresh", fresh)
        monkeypatch.setattr("era5_sidecar.outbound.asyncio.sleep", pause)

    def come_in(self, wishes: bytes = b"") -> Wire:
        """Somebody connects from outside, and says this."""
        return self._connect(self.inbound, wishes)

    def go_out(self, wishes: bytes = b"") -> Wire:
        """Our service connects, and says this."""
        return self._connect(self.outbound, wishes)

    def is_late(self) -> None:
        """A long time passes: every wait that has an end has ended."""
        self.sweep.look(time.monotonic() + LONG_S)
        while self.later:
            self.later.popleft()()

    @property
    def instances(self) -> list[Endpoint]:
        return [each for up in self.outbound.upstreams() for each in up.endpoints]

    def inside(self) -> int:
        return sum(len(door.inside) for door in self.doors.values())

    def _connect(self, side: Inbound | Outbound, wishes: bytes) -> Wire:
        caller = self.doors[side].knock()
        assert caller is not None
        wire = Wire(caller, self.later)
        caller.connection_made(wire)
        return wire.say(wishes) if wishes else wire
