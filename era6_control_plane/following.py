"""A client's side of incremental xDS: what to ask for, what to acknowledge, what is complete.

No I/O: `hear` takes an answer and gives what to say to it. Three rules:

1. What an answer names is asked for before the answer is acknowledged: whoever speaks waits with
   what is removed until we have acknowledged what is new, and must not be outrun (make before
   break).
2. An answer in which one resource is refused is refused, by that one's name and the field; its
   others count. What was accepted last stays in force whatever is refused later.
3. On another stream we say which versions we have, and are told only what has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    Resource,
)

Read = Callable[[str, str, Any], Any]  # type URL, name, body (an Any); raises ValueError
Said = Mapping[str, Mapping[str, Any]]  # type URL -> name -> what `Read` gave
Wanted = Callable[[Said], Mapping[str, Collection[str]]]
INVALID_ARGUMENT = 3  # of google.rpc.Code
MOST_TOLD = 4000  # letters of a refusal


@dataclass(frozen=True)
class Accepted:
    """A resource that is in force, or could be."""

    resource: Any
    said: Any


class Following:
    """One side's memory, over any number of streams one after the other."""

    def __init__(self, wildcard: Collection[str], named: Collection[str], read: Read) -> None:
        """wildcard: kinds of which all resources are asked for; named: those asked for by name."""
        self._wildcard = tuple(wildcard)
        self._wanted: dict[str, set[str]] = {kind: set() for kind in named}
        self._read = read
        self._accepted: dict[str, dict[str, Accepted]] = {kind: {} for kind in (*wildcard, *named)}
        self.refused: dict[tuple[str, str], str] = {}  # why, until it is said better

    def said(self) -> dict[str, dict[str, Any]]:
        """Everything that was accepted, by kind and name."""
        return {
            kind: {name: each.said for name, each in found.items()}
            for kind, found in self._accepted.items()
        }

    def resources(self) -> list[Any]:
        """The same, as it came."""
        return [each.resource for found in self._accepted.values() for each in found.values()]

    def versions(self) -> dict[str, dict[str, str]]:
        """Of each resource that was accepted."""
        return {
            kind: {name: each.resource.version for name, each in found.items()}
            for kind, found in self._accepted.items()
        }

    def remember(self, resources: Collection[Any]) -> None:
        """What was in force before we were started; what makes no sense any more is left out."""
        for each in resources:
            if each.resource.type_url in self._accepted:
                self._accept(each.resource.type_url, each)

    def begin(self, wanted: Wanted) -> list[Any]:
        """What to say first on a new stream. wanted: as for `hear`."""
        said = [self._first(kind, ()) for kind in self._wildcard]
        self.want(wanted(self.said()))
        said += [self._first(kind, names) for kind, names in self._wanted.items() if names]
        return said

    def want(self, names: Mapping[str, Collection[str]]) -> list[Any]:
        """From now on these are followed, by kind; what to say for it."""
        said = []
        for kind, before in self._wanted.items():
            now = set(names.get(kind, ()))
            if now == before:
                continue
            told = DeltaDiscoveryRequest(type_url=kind)
            told.resource_names_subscribe.extend(sorted(now - before))
            told.resource_names_unsubscribe.extend(sorted(before - now))
            said.append(told)
            self._wanted[kind] = now
            for gone in self._accepted[kind].keys() - now:
                self._forget(kind, gone)
        return said

    def hear(self, answer: DeltaDiscoveryResponse, wanted: Wanted) -> list[Any]:
        """What to say to an answer: new questions first, then that we have it (ACK), or why not
        (NACK). wanted: what is asked for by name, from all that is said now.
        """
        kind = answer.type_url
        complaints = []
        if kind not in self._accepted:
            complaints.append(f"nobody asked for {kind}")
        else:
            complaints += [each for each in map(self._hear_one(kind), answer.resources) if each]
            for name in answer.removed_resources:
                self._forget(kind, name)
        said = self.want(wanted(self.said()))
        told = DeltaDiscoveryRequest(type_url=kind, response_nonce=answer.nonce)
        if complaints:
            told.error_detail.code = INVALID_ARGUMENT
            told.error_detail.message = "; ".join(complaints)[:MOST_TOLD]
        return [*said, told]

    def _hear_one(self, kind: str) -> Callable[[Any], str]:
        def hear(resource: Any) -> str:
            if not resource.HasField("resource"):  # it was asked for, and there is none
                self._forget(kind, resource.name)
                return ""
            return self._accept(kind, resource)

        return hear

    def _accept(self, kind: str, resource: Any) -> str:
        """Empty, or why not."""
        name = resource.name
        try:
            said = self._read(kind, name, resource.resource)
        except ValueError as error:
            self.refused[kind, name] = str(error)
            return f"{name}: {error}"
        kept = Resource()
        kept.CopyFrom(resource)
        self.refused.pop((kind, name), None)
        self._accepted[kind][name] = Accepted(kept, said)
        return ""

    def _forget(self, kind: str, name: str) -> None:
        self._accepted[kind].pop(name, None)
        self.refused.pop((kind, name), None)

    def _first(self, kind: str, names: Collection[str]) -> Any:
        told = DeltaDiscoveryRequest(type_url=kind)
        told.resource_names_subscribe.extend(sorted(names))
        for name, each in self._accepted[kind].items():
            told.initial_resource_versions[name] = each.resource.version
        return told

    def __repr__(self) -> str:
        counts = {kind.rpartition(".")[2]: len(found) for kind, found in self._accepted.items()}
        return f"<Following {counts}>"
