"""Where the proxy beside us gets its secrets: a Unix socket that nobody else may open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from era5_sidecar.config_text import UNIX
from era6_control_plane.neighbours import Neighbours
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.xds import OPTIONS, Caller, DiscoveryServer

FOR_EVER_S = float("inf")


class AgentSocket:
    """Serves one snapshot, to whoever may open the socket."""

    def __init__(
        self,
        address: str,
        snapshot: Callable[[], Snapshot],
        on_news: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        """address: unix:PATH. snapshot: as it is now. on_news: told when a proxy came or went."""
        self.neighbours = Neighbours()
        self._path = Path(address.removeprefix(UNIX))
        self._on_news = on_news
        self._say = say
        self._discovery = DiscoveryServer(
            lambda _: snapshot(), self._greet, say, is_one_per_node=False
        )
        self._server: Any = None

    async def start(self) -> None:
        """Raises OSError if there can be no socket."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self._path.unlink()  # of an agent that was killed
        self._server = grpc.aio.server(options=OPTIONS)
        self._discovery.add_sds(self._server)
        self._discovery.add_ads(self._server)
        before = os.umask(0o177)  # from its first moment on
        try:
            self._server.add_insecure_port(f"{UNIX}{self._path}")
        except RuntimeError as error:
            raise OSError(f"cannot listen at {self._path}: {error}") from error
        finally:
            os.umask(before)
        await self._server.start()

    def push(self) -> None:
        """The snapshot is another."""
        self._discovery.push()

    async def stop(self) -> None:
        """Ends all streams, and removes the socket."""
        if self._server is None:
            return
        with suppress(TimeoutError):
            await self._discovery.stop()
        await self._server.stop(0)
        self._path.unlink(missing_ok=True)

    def _greet(self, node: Any, context: Any) -> Caller:
        """Whoever can open this socket is our user: what is asked is only where it listens."""
        fields = node.metadata.fields
        inbound = fields["inbound"].string_value if "inbound" in fields else ""
        if self.neighbours.come(context, inbound):
            context.add_done_callback(lambda _: self._gone(context))
            self._on_news()
        return Caller(node.id, node.cluster, FOR_EVER_S)

    def _gone(self, stream: object) -> None:
        self.neighbours.go(stream, time.monotonic())
        self._on_news()

    def __repr__(self) -> str:
        return f"<AgentSocket {self._path}, {self.neighbours!r}>"
