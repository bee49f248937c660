"""Our proxy as a client of the control plane (ADS), and of the agent beside it (SDS): two streams.

    agent ── who we are, whom to believe ──▶ client ── the same, as its certificate ──▶ pilot
    agent    (Unix socket)                          ◀── listeners, routes, clusters ──  (mTLS)

Whatever ends is begun again, soon and with some chance in it, so that a control plane that comes
back is not overrun. One that is frozen is found out by keepalive. What was heard stays.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.secret.v3.sds_pb2_grpc import SecretDiscoveryServiceStub
from google.protobuf.json_format import ParseDict

from era0_naive.role import host_and_port
from era6_control_plane.following import Following
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
from era6_control_plane.told import AuthoritiesSaid, PairSaid

LEAST_S, MOST_S = 0.2, 0.6  # between two attempts
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

Credentials = tuple[PairSaid, AuthoritiesSaid]
Say = Callable[[str], None]


class Retreat:
    """How long to wait before the next attempt: twice as long each time, a part of it by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next_s = LEAST_S

    def forget(self) -> None:
        """It went well."""
        self._next_s = LEAST_S

    def pause_s(self) -> float:
        pause_s = self._next_s * (0.5 + self._rng.random() / 2)
        self._next_s = min(MOST_S, 2 * self._next_s)
        return pause_s


class Client:
    """Follows both until it is cancelled. What it knows is in `said` and `credentials`."""

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
        self._say = say
        self._rng = rng
        self.resources = Following((CDS, LDS), (EDS, RDS), read)
        self.secrets = Following((), (SDS,), read)
        self.is_connected = False  # to the control plane
        self._is_announced = False
        self._anew: dict[str, asyncio.Event] = {"agent": asyncio.Event(), "pilot": asyncio.Event()}
        self._to_agent: Any = None  # the call, while there is one
        self._complaints: dict[str, str] = {}

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
            self._anew["agent"].set()

    async def run(self) -> None:
        """For ever."""
        await asyncio.gather(
            self._again_and_again("agent", self._ask_agent),
            self._again_and_again("pilot", self._ask_pilot),
        )

    async def _again_and_again(self, whom: str, ask: Callable[[Retreat], Awaitable[None]]) -> None:
        retreat, anew = Retreat(self._rng), self._anew[whom]
        while True:
            anew.clear()
            asking = asyncio.ensure_future(ask(retreat))
            waiting = asyncio.ensure_future(anew.wait())
            try:
                await asyncio.wait((asking, waiting), return_when=asyncio.FIRST_COMPLETED)
            finally:
                asking.cancel()
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(asking, waiting, return_exceptions=True)
            if anew.is_set():
                continue
            self._complain(whom, _why(asking))
            await asyncio.sleep(retreat.pause_s())

    async def _ask_agent(self, retreat: Retreat) -> None:
        async with grpc.aio.insecure_channel(self._agent, options=OPTIONS) as channel:
            call = SecretDiscoveryServiceStub(channel).DeltaSecrets()
            self._to_agent = call
            node = self._described(is_announced=self._is_announced)
            try:
                await self._follow("agent", call, self.secrets, self._secrets_wanted, node, retreat)
            finally:
                self._to_agent = None

    async def _ask_pilot(self, retreat: Retreat) -> None:
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
                await self._follow("pilot", call, self.resources, wanted, node, retreat)
            finally:
                self.is_connected = False

    async def _follow(
        self, whom: str, call: Any, following: Following, wants: Any, node: Node, retreat: Retreat
    ) -> None:
        first, *others = following.begin(wants)
        first.node.CopyFrom(node)
        for each in (first, *others):
            await call.write(each)
        async for answer in call:
            retreat.forget()
            self._complain(whom, "")
            before = self.credentials
            said = following.hear(answer, wants)
            if whom == "pilot":
                await self._want_secrets()
            elif before and before != self.credentials:
                self._anew["pilot"].set()  # it is asked by the new certificate from now on
            for each in said:
                await call.write(each)
            for (kind, name), why in following.refused.items():
                self._complain(f"{kind} {name}", f"refused: {why}")
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

    def _complain(self, about: str, complaint: str) -> None:
        """Each once, until it is another one."""
        if complaint and complaint != self._complaints.get(about):
            self._say(f"{about}: {complaint}")
        if not complaint and self._complaints.get(about):
            self._say(f"{about}: answers again")
        self._complaints[about] = complaint


def _why(asking: asyncio.Future[None]) -> str:
    if asking.cancelled():
        return "cancelled"
    error = asking.exception()
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if error:
        traceback.print_exception(error)  # a mistake of ours must not end what is in force
    return repr(error) if error else "it ended the stream"
