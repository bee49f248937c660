"""From one operator's intent, and who is there, to what each node must know: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envoy.config.core.v3.base_pb2 import Node as NodeMessage

from era6_control_plane.intent import Intent
from era6_control_plane.membership import Endpoint
from era6_control_plane.snapshot import Snapshot

SIDECAR, PROXYLESS = "sidecar", "proxyless"


@dataclass(frozen=True)
class Node:
    """A proxy, as it describes itself when it asks.

    id: the instance it stands beside. inbound, outbound, app: where it listens and where its
    service does, as era 5's file says them (`http://IP:PORT`, `unix:PATH`; outbound empty: it calls
    nobody). kind: `proxyless` is a program that speaks xDS itself, as gRPC's own client.
    """

    id: str
    service: str
    version: str = ""
    inbound: str = ""
    outbound: str = ""
    app: str = ""
    kind: str = SIDECAR


def compile(intent: Intent, endpoints: Sequence[Endpoint], node: Node) -> Snapshot:
    """What this node is to know. Raises ValueError for a node that belongs to no service of ours,
    or whose addresses are none.
    """
    raise NotImplementedError


def node_of(message: NodeMessage) -> Node:
    """What a proxy says of itself. Raises ValueError, which names what is wrong with it."""
    raise NotImplementedError


def clusters_of(intent: Intent, service: str) -> list[str]:
    """The clusters that the service's routes lead to, by name, sorted."""
    raise NotImplementedError
