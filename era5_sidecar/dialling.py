"""How a connection to an instance is made: a socket, TLS on it, and whose certificate that shows.

Where there is none in the end, nothing was asked on it: whatever is raised here is an Unreachable.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from era4_framework.errors import ConnectFailed, NotKnown, Overloaded
from era5_sidecar.config_text import UNIX
from era5_sidecar.connection import Connection, Sweep
from era5_sidecar.discovery import Instance
from era5_sidecar.handshakes import Handshakes
from era5_sidecar.transparent import connected

OUR_OWN_FAULT = (errno.EMFILE, errno.ENFILE)  # no instance is to be blamed for these

Made = TypeVar("Made", bound=Connection)


@dataclass(frozen=True)
class Dialling:
    """How connections are made. `peer_of`: the name in a certificate; raises if there is none.

    handshakes: where those are counted that come to nothing.
    """

    sweep: Sweep
    most_buffer_bytes: int
    tls: ssl.SSLContext | None = None
    peer_of: Callable[[Any], str] | None = None
    handshakes: Handshakes = field(default_factory=lambda: Handshakes(lambda line: None))

    async def dial(
        self, instance: Instance, service: str, new: Callable[[], Made], within_s: float
    ) -> Made:
        """A connection that `new` has made. Raises ConnectFailed, NotKnown, Overloaded.

        service: whose name its certificate must bear; empty: it is our own, on this host.
        """
        name = instance.name
        try:
            async with asyncio.timeout(within_s):
                made = await self._connect(instance.url, service, new)
        except OSError as error:  # TimeoutError and SSLError among them
            if error.errno in OUR_OWN_FAULT:
                raise Overloaded(f"no file is left for a connection to {name}") from error
            raise ConnectFailed(f"{name}: {self._why(name, error)}") from error
        if service and self.tls and self.peer_of:
            try:
                _check(self.peer_of(made.transport.get_extra_info("ssl_object")), service, name)
            except NotKnown as error:
                self.handshakes.count("outbound", name, "other_name", str(error))
                made.abort()
                raise
        return made

    def failed(self, peer: str, error: BaseException) -> str:
        """What the end of a handshake means, as is to be told after the peer's name."""
        return self.handshakes.failed("outbound", peer, error)

    async def _connect(self, url: str, service: str, new: Callable[[], Made]) -> Made:
        loop = asyncio.get_running_loop()
        if url.startswith(UNIX):
            return (await loop.create_unix_connection(new, url.removeprefix(UNIX)))[1]
        parts = urlsplit(url)
        tls = self.tls if service else None
        host, port, named = str(parts.hostname), int(parts.port or 80), service if tls else None
        marked = await connected(host, port)
        if marked:
            made = await loop.create_connection(new, sock=marked, ssl=tls, server_hostname=named)
            return made[1]
        made = await loop.create_connection(new, host, port, ssl=tls, server_hostname=named)
        return made[1]

    def _why(self, name: str, error: OSError) -> str:
        if isinstance(error, ssl.SSLError):
            return self.failed(name, error)
        if isinstance(error, TimeoutError):
            return "no connection in time"
        return str(error) or type(error).__name__


def _check(who: str, service: str, name: str) -> None:
    if who != service:
        raise NotKnown(f"{name}: its certificate is {who}'s; accepted: {service}'s")
