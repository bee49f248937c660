"""Discovery over gRPC: who asks, and one task per stream that hears, plans and answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from era6_control_plane.planning import Progress
from era6_control_plane.snapshot import Snapshot

OPTIONS: Sequence[tuple[str, Any]] = ()  # of a grpc.aio.server that serves this: keepalive, sizes


@dataclass(frozen=True)
class Peer:
    """Who is at the other end: instance and service, and until when (wall clock) we believe it."""

    instance: str
    service: str
    until_s: float


class Refused(Exception):
    """This stream is ended with PERMISSION_DENIED and this text."""


class Discovery:
    """ADS and SDS, both dialects, from one planning core. Used by the pilot and by the agent."""

    def __init__(
        self,
        snapshot_of: Callable[[str], Snapshot | None],
        greet: Callable[[Any, Any], Peer],
        say: Callable[[str], None],
        most_streams: int = 1000,
        is_one_per_node: bool = True,
    ) -> None:
        """snapshot_of: of a node's id; None, if it is unknown.

        greet: given the node's message (envoy.config.core.v3.Node) and the gRPC context at a
        stream's first request; tells who it is, or raises Refused. say: a line for the log.
        """

    def add_ads(self, server: Any) -> None:
        """Serve `AggregatedDiscoveryService` there."""

    def add_sds(self, server: Any) -> None:
        """Serve `SecretDiscoveryService` there."""

    def push(self) -> None:
        """Snapshots may have changed: each stream looks what it has to send. From the loop only."""

    def progress(self) -> dict[str, dict[str, Progress]]:
        """Of each node that is connected, by kind."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End all streams."""
