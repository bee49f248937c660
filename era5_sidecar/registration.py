"""What a sidecar has to do with the registry: its own place there, and who else has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from era5_sidecar.config import SidecarConfig
from era5_sidecar.discovery import Discovery, Instance
from era5_sidecar.lease import Lease


class Registration:
    """Without a registry in the file, or for an edge, there is nothing to do here."""

    def __init__(
        self, know: Callable[[str, Sequence[Instance]], None], say: Callable[[str], None]
    ) -> None:
        """know: told the name of a service and who is there, whenever that has changed."""
        self._know = know
        self._say = say
        self._discovery: Discovery | None = None
        self._lease: Lease | None = None

    async def follow(self, config: SidecarConfig) -> None:
        """Ask for the instances of those services whose endpoints the file does not say."""
        asked = {
            name: told.client.poll_s
            for name, told in (config.outbound.services.items() if config.outbound else ())
            if not told.endpoints
        }
        await self.unfollow()
        if config.registry and asked:
            self._discovery = Discovery(config.registry, asked, self._know, self._say)
            await self._discovery.start()

    async def unfollow(self) -> None:
        """Ask no more."""
        if self._discovery:
            await self._discovery.stop()
        self._discovery = None

    def prepare(self, config: SidecarConfig, url: str) -> None:
        """A place of our own, not taken yet. url: where we are reached. Raises ConfigError."""
        if config.registry is None or config.inbound.is_edge:
            return
        me = config.service, config.instance
        self._lease = Lease(config.registry, *me, config.inbound, url, self._say)

    async def take(self) -> None:
        """We are to be found: our service answers."""
        if self._lease:
            await self._lease.take()

    async def give_back(self) -> None:
        """We are not to be found any more."""
        if self._lease:
            await self._lease.give_back()

    async def leave_to_successor(self) -> None:
        """Another one has our place: we renew it no more, and do not give it back."""
        if self._lease:
            await self._lease.stop()
