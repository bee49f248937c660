"""A client's side of incremental xDS: what to ask for, what to acknowledge, what is complete.

No I/O: `hear` takes an answer and gives what to say to it. What was accepted last stays in force
whatever is refused later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from google.protobuf.message import Message

Check = Callable[[str, str, Message], None]  # type URL, name, message; raises ValueError


class Following:
    """One stream's side of it, over any number of streams one after the other."""

    def __init__(self, wildcard: Collection[str], check: Check) -> None:
        """wildcard: kinds of which all resources are asked for."""
        raise NotImplementedError

    def begin(self) -> list[DeltaDiscoveryRequest]:
        """What to say first on a new stream, with the versions of what we know already."""
        raise NotImplementedError

    def want(self, names: Mapping[str, Collection[str]]) -> list[DeltaDiscoveryRequest]:
        """From now on these are followed, by kind; what to say for it."""
        raise NotImplementedError

    def hear(self, answer: DeltaDiscoveryResponse) -> list[DeltaDiscoveryRequest]:
        """What to say to an answer: new questions first, then the ACK or NACK."""
        raise NotImplementedError
