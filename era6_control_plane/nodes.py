"""Which proxies there are, and how far each has got: what `mesh status` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from era6_control_plane.compile import Node
from era6_control_plane.names import SHORT
from era6_control_plane.planning import Progress

MOST_GONE = 100  # of nodes that are not connected; the one that has been longest is forgotten

Name = str  # SERVICE/INSTANCE


@dataclass(frozen=True)
class Seen:
    """A node. data_plane: what program it says it is; since: when it came or went, since 1970."""

    node: Node
    data_plane: str
    since: float
    is_connected: bool = True


class Nodes:
    """All that have spoken to us since we started."""

    def __init__(self) -> None:
        self._seen: dict[Name, Seen] = {}

    def come(self, name: Name, node: Node, data_plane: str, now: float) -> None:
        """It is connected. data_plane: what program it says it is. now: seconds since 1970."""
        self._seen.pop(name, None)
        self._seen[name] = Seen(node, data_plane, now)

    def go(self, name: Name, now: float) -> None:
        """It is no longer."""
        gone = self._seen.pop(name)
        self._seen[name] = Seen(gone.node, gone.data_plane, now, is_connected=False)
        absent = [each for each, seen in self._seen.items() if not seen.is_connected]
        for each in absent[: max(0, len(absent) - MOST_GONE)]:
            del self._seen[each]

    def node(self, name: Name) -> Node | None:
        """None: it has never spoken to us."""
        seen = self._seen.get(name)
        return seen.node if seen else None

    def connected(self) -> list[Node]:
        """Those that listen to us now; any thread may ask."""
        return [each.node for each in list(self._seen.values()) if each.is_connected]

    def status(self, progress: Mapping[Name, Mapping[str, Progress]]) -> list[dict[str, Any]]:
        """As JSON, by service and instance. progress: of those that are connected, by kind."""
        return [_status(seen, progress.get(name, {})) for name, seen in sorted(self._seen.items())]


def name_of(node: Node) -> Name:
    """By which it is known here: two services may call an instance alike."""
    return f"{node.service}/{node.id}"


def _status(seen: Seen, progress: Mapping[str, Progress]) -> dict[str, Any]:
    return {
        "node": seen.node.id,
        "service": seen.node.service,
        "version": seen.node.version,
        "data_plane": seen.data_plane,
        "connected": seen.is_connected,
        "since": seen.since,
        "types": {
            SHORT[kind]: {
                "desired": each.desired,
                "sent": each.sent,
                "acknowledged": each.acknowledged,
                "refused": each.refused,
            }
            for kind, each in progress.items()
        },
    }
