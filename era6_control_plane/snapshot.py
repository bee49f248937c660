"""Everything that one node is to know, at one moment: resources by kind and name.

A version is a hash of the content: two control planes that say the same say it with the same
version, and one that has started again sends nothing that its nodes have already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from era6_control_plane.names import ORDER

HASH_LETTERS = 16


@dataclass(frozen=True)
class Resource:
    """One message, packed. `version` is of this resource alone."""

    name: str
    version: str
    body: Any

    @classmethod
    def pack(cls, name: str, message: Message) -> Resource:
        """Of a message as it is now. Its bytes are the same for the same content."""
        body = Any()
        body.Pack(message, deterministic=True)
        return cls(name, _hash(body.value), body)

    @property
    def type_url(self) -> str:
        """Of which kind it is: one of `names.ORDER`."""
        return self.body.type_url


class Snapshot:
    """What a node is to know. It never changes; another one takes its place."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        """Raises ValueError for a kind that nobody asks for, or two of one name."""
        found: dict[str, dict[str, Resource]] = {kind: {} for kind in ORDER}
        for each in resources:
            if each.type_url not in found:
                raise ValueError(f"resource {each.name}: {each.type_url!r} is none of xDS's")
            if each.name in found[each.type_url]:
                raise ValueError(f"two resources {each.name!r} of {each.type_url}")
            found[each.type_url][each.name] = each
        self._resources = found

    def of(self, type_url: str) -> Mapping[str, Resource]:
        """All resources of one kind, by name."""
        return self._resources[type_url]

    def version(self, type_url: str) -> str:
        """Of all resources of one kind together."""
        return version_of(self.of(type_url).values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return all(self.version(kind) == other.version(kind) for kind in ORDER)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counted = ", ".join(
            f"{len(each)} {kind.rpartition('.')[2]}" for kind, each in self._resources.items()
        )
        return f"<Snapshot {counted}>"


def version_of(resources: Iterable[Resource]) -> str:
    """One version for several resources: of their names and versions, in whatever order."""
    listed = sorted(f"{each.name}={each.version}" for each in resources)
    return _hash("\n".join(listed).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_LETTERS]
