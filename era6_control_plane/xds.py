"""Discovery over gRPC, for the pilot (ADS) and for the agent (SDS): which streams there are.

What is said on one is in conversation.py, what is to be said in planning.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.secret.v3 import sds_pb2_grpc

from era6_control_plane.conversation import Conversation, Ended
from era6_control_plane.pilot_link import SERVER_OPTIONS
from era6_control_plane.planning import Stream
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.talk import Mode

KEEPALIVE_MS = 1500
# of a grpc.aio.server that serves this; a snapshot of many routes is more than 4 MiB
OPTIONS = (
    *SERVER_OPTIONS,
    ("grpc.max_send_message_length", -1),
    # a node whose host is gone says no goodbye
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_MS),
    ("grpc.http2.max_pings_without_data", 0),
)
# Of the pilot's: a connection shows the certificate of its first moment. Streams stay on an old one
# until that ends, new ones are begun on another: Envoy would try the ended one again, for ever.
NODE_OPTIONS = (*OPTIONS, ("grpc.max_connection_age_ms", 2000))
MOST_STREAMS = 1000
MOST_OF_ONE = 8  # of one node, whatever it says or does not: it must not shut all others out
GOODBYE_S = 0.5


@dataclass(frozen=True)
class Caller:
    """Who is at the other end: instance and service, and until when (since 1970) we believe it."""

    instance: str
    service: str
    until_s: float


class Refused(Exception):
    """This stream is ended with PERMISSION_DENIED and this text."""


class DiscoveryServer:
    """Both variants, from one planning core. All of it runs in one event loop."""

    def __init__(
        self,
        snapshot_of: Callable[[str], Snapshot | None],
        greet: Callable[[Any, Any], Caller],
        say: Callable[[str], None],
        most_streams: int = MOST_STREAMS,
        is_one_per_node: bool = True,
    ) -> None:
        """snapshot_of: of SERVICE/INSTANCE; None: it is unknown, and is told nothing.

        greet: given the node's message (envoy.config.core.v3.Node) and the gRPC context when a
        stream begins; tells who it is, or raises Refused. say: a line for the log. is_one_per_node:
        a newer stream ends the older one.
        """
        self.on_end: Callable[[str], None] = lambda name: None  # told when a node is gone
        self._snapshot_of = snapshot_of
        self._greet = greet
        self._say = say
        self._most_streams = most_streams
        self._is_one_per_node = is_one_per_node
        self._held: set[Conversation] = set()
        self._of_node: dict[str, Conversation] = {}
        self._last: dict[str, Stream] = {}  # of each node, the oldest first

    def add_ads(self, server: grpc.aio.Server) -> None:
        """Serve `AggregatedDiscoveryService` there."""
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(_Ads(self), server)

    def add_sds(self, server: grpc.aio.Server) -> None:
        """Serve `SecretDiscoveryService` there."""
        sds_pb2_grpc.add_SecretDiscoveryServiceServicer_to_server(_Sds(self), server)

    def push(self) -> None:
        """Snapshots may have changed: each stream looks what it has to send."""
        for each in self._held:
            each.wake()

    def conversations(self) -> dict[str, Conversation]:
        """With each node that is connected, by SERVICE/INSTANCE."""
        return dict(self._of_node)

    async def stop(self) -> None:
        """End all streams; clients are told that it is not for ever."""
        for each in self._held:
            each.end(grpc.StatusCode.UNAVAILABLE, "the control plane stops")
        until = time.monotonic() + GOODBYE_S
        while self._held and time.monotonic() < until:
            await asyncio.sleep(0.005)

    async def converse(self, context: Any, mode: Mode) -> None:
        """One stream, until its end. context: gRPC's."""
        conversation = Conversation(context, mode, self._say)
        self._held.add(conversation)
        try:
            await self._converse(conversation, context)
        except Ended as ended:
            who = conversation.node.id[:80] if conversation.node else context.peer()
            self._say(f"{who}: {ended}")
            await context.abort(ended.code, str(ended))
        finally:
            self._held.discard(conversation)

    async def _converse(self, conversation: Conversation, context: Any) -> None:
        self._make_room(conversation)
        first = await conversation.first()
        try:
            peer = self._greet(conversation.node, context)
        except Refused as refused:
            raise Ended(grpc.StatusCode.PERMISSION_DENIED, str(refused)) from refused
        node = f"{peer.service}/{peer.instance}"
        before = self._take_over(node, conversation) if self._is_one_per_node else None
        try:
            await conversation.hold(first, lambda: self._snapshot_of(node), before, peer.until_s)
        finally:
            self._let_go(node, conversation)

    def _make_room(self, conversation: Conversation) -> None:
        full = len(self._held) > self._most_streams
        most = self._most_streams
        if self._is_one_per_node and conversation.owner and not full:
            most = MOST_OF_ONE
            full = sum(each.owner == conversation.owner for each in self._held) > most
        if full:
            why = f"{most} streams, which are all that may be"
            raise Ended(grpc.StatusCode.RESOURCE_EXHAUSTED, why)

    def _take_over(self, node: str, conversation: Conversation) -> Stream | None:
        older = self._of_node.get(node)
        if older:
            older.end(grpc.StatusCode.ABORTED, "this node has begun another stream")
        self._of_node[node] = conversation
        return older.stream if older else self._last.get(node)

    def _let_go(self, node: str, conversation: Conversation) -> None:
        if self._of_node.get(node) is not conversation:
            return
        del self._of_node[node]
        self.on_end(node)
        self._last.pop(node, None)
        self._last[node] = conversation.stream
        while len(self._last) > self._most_streams:
            del self._last[next(iter(self._last))]


# gRPC looks whether a handler is a coroutine: it must be one itself.
class _Ads:
    def __init__(self, discovery: DiscoveryServer) -> None:
        self._discovery = discovery

    async def StreamAggregatedResources(self, requests: Any, context: Any) -> None:
        await self._discovery.converse(context, Mode.SOTW)

    async def DeltaAggregatedResources(self, requests: Any, context: Any) -> None:
        await self._discovery.converse(context, Mode.DELTA)


class _Sds:
    def __init__(self, discovery: DiscoveryServer) -> None:
        self._discovery = discovery

    async def StreamSecrets(self, requests: Any, context: Any) -> None:
        await self._discovery.converse(context, Mode.SOTW)

    async def DeltaSecrets(self, requests: Any, context: Any) -> None:
        await self._discovery.converse(context, Mode.DELTA)

    async def FetchSecrets(self, request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "accepted: a stream")
