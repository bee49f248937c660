"""The relay's sockets: every connection from orders becomes one to inventory, faults in between.

Passed on faithfully: the end of a stream (half-close), a reset, and flow control: we read no more
than `queue_bytes` (or WINDOW_BYTES) ahead of what has been delivered. Not quite faithful: the
kernel accepts a connection before inventory has been asked, so one that inventory refuses is reset,
unless the relay was told (`close`) that nobody is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator, Mapping
from time import monotonic

from lab.relay.connection import Connection, reset
from lab.relay.stream import Path
from lab.relay.toxics import NAMES, Toxics
from lab.wire.control import ports
from lab.wire.knobs import KnobError
from lab.wire.portable import Address, read_address

BACKLOG = 128  # a crowd knocks at once


class Relay:
    """Listens for orders, connects to inventory, and knows what is wrong between them."""

    def __init__(self, seed: int, paths: tuple[Path, Path], inventory: Address | None) -> None:
        """`paths` carry orders → inventory and back; `seed` deals the sizes of slices."""
        self.paths = paths
        self.inventory = inventory
        self._seed = seed
        self._toxics = [Toxics(), Toxics()]
        self._toxic_since = [0.0, 0.0]
        self._turned = asyncio.Event()
        self._connected_ever = 0
        self._port = 0
        self._serving: asyncio.Task[None] | None = None

    def listen(self) -> str:
        """Listen on a free loopback port, and no more on an earlier one; return the address."""
        self.close()
        self._port = 0
        self.reopen()
        return f"tcp://127.0.0.1:{self._port}"

    def reopen(self) -> None:
        """Listen again where it was, if it does not. Raises OSError if the port is taken."""
        if self._serving:
            return
        listener = socket.create_server(("127.0.0.1", self._port), backlog=BACKLOG)
        self._port = listener.getsockname()[1]
        self._serving = asyncio.get_running_loop().create_task(self._serve(listener))

    def close(self) -> None:
        """Refuse who knocks from now on; connections that are open stay so."""
        if self._serving:
            self._serving.cancel()
        self._serving = None

    def obey_forward(self, command: Mapping[str, object]) -> None:
        """The command {"do": "forward", "to": URL} names inventory. Raises AddressError."""
        self.inventory = read_address(str(command.get("to")), scheme="tcp")

    def obey_toxics(self, command: Mapping[str, object]) -> None:
        """The command {"do": "toxics", "direction": ..., "toxics": {...}}. Raises KnobError."""
        changes = command.get("toxics") or {}
        if not isinstance(changes, dict) or not set(changes) <= set(NAMES):
            raise KnobError(f"toxics are {changes!r}; accepted: an object of {', '.join(NAMES)}")
        toxics = Toxics(**changes)
        for port in ports(command.get("direction")):
            self._toxics[port] = toxics
            self._toxic_since[port] = monotonic()

    def turned(self) -> None:
        """Wake those who wait for a knob or toxic to be turned."""
        self._turned.set()
        self._turned = asyncio.Event()

    def toxics(self, port: int) -> Toxics:
        """The toxics in force for what orders (0) or inventory (1) sends."""
        return self._toxics[port]

    def take_after(self, other: Relay) -> None:
        """Have the toxics of the other from now on."""
        self._toxics = list(other._toxics)
        self._toxic_since = list(other._toxic_since)

    async def until_turned(self, timeout_s: float | None = None) -> None:
        """Wait until something is turned, or for so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), timeout_s)

    async def until_passable(self, port: int) -> None:
        """Wait while a partition holds this direction."""
        while self.paths[port].knobs.partitioned:
            await self.until_turned()

    def verdicts(self, began_at: float) -> Iterator[tuple[float, str]]:
        """When toxics end a connection, and how: "reset" or "close"."""
        for toxics, since in zip(self._toxics, self._toxic_since, strict=True):
            start = max(began_at, since)
            if toxics.reset_peer_s is not None:
                yield start + toxics.reset_peer_s, "reset"
            if toxics.timeout_s:
                yield start + toxics.timeout_s, "close"

    async def _serve(self, listener: socket.socket) -> None:
        async with await asyncio.start_server(self._welcome, sock=listener) as server:
            await server.serve_forever()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No piece waits for the last one's acknowledgement; asyncio sees to that only for sockets
        # that it made itself.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected_ever += 1
        chance = random.Random(f"{self._seed}/{self._connected_ever}")
        await self.until_passable(0)
        await self.until_passable(1)
        while self.inventory is None:  # who listens already, and is not yet known, is waited for
            await self.until_turned()
        try:
            ends = await asyncio.open_connection(*self.inventory)
        except OSError:
            reset(writer)
            return
        await Connection(self, (reader, writer), ends, chance).run()
