"""What each proxy is told: the intent in force and who is there, compiled, and pushed.

A snapshot is compiled once for each node and each change, when the node's stream asks for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from era6_control_plane.compile import PROXYLESS, Node, compile, node_of
from era6_control_plane.debounce import Debounce
from era6_control_plane.identity import peer_of
from era6_control_plane.intent import Intent
from era6_control_plane.membership import Endpoint
from era6_control_plane.nodes import Nodes, name_of
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.xds import Caller, DiscoveryServer, Refused

LOOK_S = 0.005
ENVOY, OURS, GRPC = "envoy", "python", "grpc"

Rehearsed = tuple[Intent, Sequence[Endpoint], dict[Node, Snapshot]]


class Telling:
    """All of it runs in one event loop, but for `rehearse`."""

    def __init__(
        self, endpoints: Callable[[], Sequence[Endpoint]], say: Callable[[str], None]
    ) -> None:
        """endpoints: who is there now. say: a line for the log."""
        self.nodes = Nodes()
        self.discovery = DiscoveryServer(self._snapshot_of, self._greet, say)
        self.discovery.on_end = self._gone
        self.revision = 0
        self._intent: Intent | None = None
        self._read_endpoints = endpoints
        self._endpoints: Sequence[Endpoint] = tuple(endpoints())
        self._compiled: dict[str, Snapshot | None] = {}  # of this intent and these endpoints
        self._rehearsed: Rehearsed | None = None
        self._debounce = Debounce()
        self._say = say

    def rule(self, revision: int, intent: Intent) -> None:
        """This intent is in force; revision: its number."""
        self.revision, self._intent = revision, intent
        self._change()

    def rehearse(self, intent: Intent) -> None:
        """Whether every node can be told of it; any thread. Raises ValueError, which names one."""
        endpoints, made = self._endpoints, {}
        for node in self.nodes.connected():
            if node.service not in intent.services:
                continue  # it keeps what it has
            try:
                made[node] = compile(intent, endpoints, node)
            except ValueError as error:
                raise ValueError(f"for {name_of(node)}: {error}") from error
        self._rehearsed = intent, endpoints, made

    def endpoints_changed(self) -> None:
        """Somebody came, moved or went."""
        self._endpoints = tuple(self._read_endpoints())
        self._change()

    async def settle(self, revision: int, within_s: float) -> bool:
        """Waits until every node has taken or refused what this revision means for it, for within_s
        at the most; whether all have.
        """
        until = time.monotonic() + within_s
        while not (is_settled := self._is_settled(revision)) and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
        return is_settled

    def status(self) -> list[dict[str, Any]]:
        """Of each node."""
        held = self.discovery.conversations()
        return self.nodes.status(
            {name: each.stream.progress(self._snapshot_of(name)) for name, each in held.items()}
        )

    def _is_settled(self, revision: int) -> bool:
        return (
            self.revision >= revision
            and not self._debounce.is_waiting
            and all(
                each.stream.is_settled(self._snapshot_of(name))
                for name, each in self.discovery.conversations().items()
            )
        )

    def _change(self) -> None:
        loop = asyncio.get_running_loop()
        due_at = self._debounce.changed(loop.time())
        if due_at is not None:
            loop.call_at(due_at, self._push)

    def _push(self) -> None:
        self._compiled.clear()
        self._debounce.told(asyncio.get_running_loop().time())
        self.discovery.push()

    def _snapshot_of(self, name: str) -> Snapshot | None:
        if name not in self._compiled:
            self._compiled[name] = self._compile(name)
        return self._compiled[name]

    def _compile(self, name: str) -> Snapshot | None:
        node, intent = self.nodes.node(name), self._intent
        if node is None or intent is None:
            return None
        rehearsed, endpoints, made = self._rehearsed or (None, None, {})
        if rehearsed is intent and endpoints is self._endpoints and node in made:
            return made[node]
        try:
            return compile(intent, self._endpoints, node)
        except ValueError as error:
            self._say(f"{name} keeps what it has: {error}")
            return None

    def _greet(self, message: Any, context: Any) -> Caller:
        try:
            peer = peer_of(context.auth_context(), time.time())
            if (message.cluster, message.id) != peer.name:
                said = f"{message.cluster[:80]!r}, {message.id[:80]!r}"
                raise ValueError(f"node.cluster, node.id: {said}; accepted: {peer.name}, as signed")
            node = node_of(message)
        except ValueError as error:
            raise Refused(str(error)) from error
        name = name_of(node)
        if self.nodes.node(name) != node:
            self._compiled.pop(name, None)
        self.nodes.come(name, node, data_plane_of(node, message), time.time())
        self._say(f"{name} is connected")
        return Caller(peer.instance, peer.service, peer.ends_at)

    def _gone(self, name: str) -> None:
        self.nodes.go(name, time.time())
        self._compiled.pop(name, None)
        self._say(f"{name} is gone")


def data_plane_of(node: Node, message: Any) -> str:
    """Which program it is, in our words. message: the Node that it sent."""
    if node.kind == PROXYLESS:
        return GRPC
    return ENVOY if message.user_agent_name == ENVOY else OURS
