"""Our proxy as a client of the control plane (ADS), and of the agent beside it (SDS): two streams.

    agent ── who we are, whom to believe ──▶ client ── the same, as its certificate ──▶ pilot
    agent    (Unix socket)                          ◀── listeners, routes, clusters ──  (mTLS)

Whatever ends is begun again (streams.py). A control plane that is frozen is found out by keepalive.
What was heard stays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.secret.v3.sds_pb2_grpc import SecretDiscoveryServiceStub
from google.protobuf.json_format import ParseDict

from era0_naive.role import host_and_port
from era6_control_plane.following import Following, Wanted
from era6_control_plane.interpret import read, wanted
from era6_control_plane.names import (
    AUTHORITIES,
    CDS,
    EDS,
    LDS,
    OWN_CERTIFICATE,
    PILOT,
    RDS,
    SDS,
)
from era6_control_plane.streams import Complaints, Say, Streams
from era6_control_plane.told import AuthoritiesSaid, Credentials, PairSaid

CONNECT_S = 2.0  # for a connection; who is frozen still has its kernel say hello
OPTIONS = (
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.ping_timeout_ms", 1000),  # this is what counts: 60 s unless it is told
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", -1),  # ten thousand routes are 6 MB
    ("grpc.use_local_subchannel_pool", 1),  # another certificate is another connection
    ("grpc.enable_http_proxy", 0),  # that of our service is ourselves
    ("grpc.initial_reconnect_backoff_ms", 100),  # within an attempt; 1 s unless it is told
    ("grpc.max_reconnect_backoff_ms", 300),
)
ALWAYS = {SDS: (OWN_CERTIFICATE, AUTHORITIES)}


class Client:
    """Follows both until it is cancelled. What it knows is in `resources` and `credentials`."""

    def __init__(
        self,
        node: Mapping[str, Any],
        pilot: str,
        agent: str,
        on_news: Callable[[], Awaitable[None]],
        say: Say,
        rng: random.Random,
    ) -> None:
        """node: id, cluster and metadata. pilot: https://HOST:PORT; agent: unix:PATH. on_news: told
        whenever something new is known.
        """
        self._node = dict(node)
        self._pilot = host_and_port(pilot, "https")
        self._agent = agent
        self._on_news = on_news
        self._complaints = Complaints(say)
        self._agent_streams = Streams("agent", self._ask_agent, rng, self._complaints)
        self._pilot_streams = Streams("pilot", self._ask_pilot, rng, self._complaints)
        self.resources = Following((CDS, LDS), (EDS, RDS), read)
        self.secrets = Following((), (SDS,), read)
        self.is_connected = False  # to the control plane
        self._is_announced = False
        self._to_agent: Any = None  # the call, while there is one

    @property
    def credentials(self) -> Credentials | None:
        """Who we are and whom we believe, once both are known."""
        said = self.secrets.said()[SDS]
        pair, authorities = said.get(OWN_CERTIFICATE), said.get(AUTHORITIES)
        if not isinstance(pair, PairSaid) or not isinstance(authorities, AuthoritiesSaid):
            return None
        return pair, authorities

    def announce(self, is_there: bool) -> None:
        """Tell the agent where others reach us, or no more: who is not ready is not to be found."""
        if self._is_announced != is_there:
            self._is_announced = is_there
            self._agent_streams.begin_anew()

    async def run(self) -> None:
        """Until it is cancelled."""
        await asyncio.gather(self._agent_streams.run(), self._pilot_streams.run())

    async def _ask_agent(self) -> None:
        async with grpc.aio.insecure_channel(self._agent, options=OPTIONS) as channel:
            call = SecretDiscoveryServiceStub(channel).DeltaSecrets()
            self._to_agent = call
            node = self._described(is_announced=self._is_announced)
            try:
                await self._follow(
                    self._agent_streams, call, self.secrets, self._secrets_wanted, node
                )
            finally:
                self._to_agent = None

    async def _ask_pilot(self) -> None:
        while self.credentials is None:
            await asyncio.sleep(0.005)
        pair, authorities = self.credentials
        shown = grpc.ssl_channel_credentials(authorities.certificates, pair.key, pair.certificate)
        host, port = self._pilot
        options = (*OPTIONS, ("grpc.ssl_target_name_override", PILOT))
        async with grpc.aio.secure_channel(f"{host}:{port}", shown, options=options) as channel:
            async with asyncio.timeout(CONNECT_S):
                await channel.channel_ready()
            call = AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources()
            self.is_connected = True  # it may have nothing new to say
            try:
                node = self._described(is_announced=True)
                await self._follow(self._pilot_streams, call, self.resources, wanted, node)
            finally:
                self.is_connected = False

    async def _follow(
        self, streams: Streams, call: Any, following: Following, wants: Wanted, node: Node
    ) -> None:
        first, *others = following.begin(wants)
        first.node.CopyFrom(node)
        for each in (first, *others):
            await call.write(each)
        async for answer in call:
            streams.heard()
            before = self.credentials
            said = following.hear(answer, wants)
            if streams is self._pilot_streams:
                await self._want_secrets()
            elif before and before != self.credentials:
                self._pilot_streams.begin_anew()  # it is asked by the new certificate from now on
            for each in said:
                await call.write(each)
            for (kind, name), why in following.refused.items():
                self._complaints.tell(f"{kind} {name}", f"refused: {why}")
            await self._on_news()

    def _secrets_wanted(self, _: Any) -> dict[str, set[str]]:
        return {SDS: {*ALWAYS[SDS], *wanted(self.resources.said())[SDS]}}

    async def _want_secrets(self) -> None:
        """Those that new resources name; who asks when the stream begins says it then."""
        if self._to_agent is None:
            return
        for each in self.secrets.want(self._secrets_wanted(None)):
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._to_agent.write(each)

    def _described(self, is_announced: bool) -> Node:
        told = dict(self._node)
        if not is_announced:
            told["metadata"] = {**told["metadata"], "inbound": ""}
        return ParseDict(told, Node())
