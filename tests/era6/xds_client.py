"""A client of xDS that says what a test tells it to, against a server in the same event loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3 import discovery_pb2 as messages
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from era6_control_plane.talk import Mode
from era6_control_plane.xds import OPTIONS, Caller, DiscoveryServer

SOON_S = 5.0


def friend(node, context):
    return Caller(node.id, node.cluster, float("inf"))


@asynccontextmanager
async def serving(snapshot_of, greet=friend, **more):
    """Gives the discovery, its address, and what it said."""
    said: list[str] = []
    discovery = DiscoveryServer(snapshot_of, greet, said.append, **more)
    server = grpc.aio.server(options=OPTIONS)
    discovery.add_ads(server)
    discovery.add_sds(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield discovery, f"127.0.0.1:{port}", said
    finally:
        await discovery.stop()
        await server.stop(0)


class Talk:
    """One stream of ADS."""

    def __init__(self, call, mode):
        self.call, self.mode = call, mode

    async def ask(self, kind, names=(), node="", nonce="", version="", refused=None, **more):
        whole = self.mode is Mode.SOTW
        if whole:
            message = messages.DiscoveryRequest(resource_names=names, version_info=version, **more)
        else:
            message = messages.DeltaDiscoveryRequest(resource_names_subscribe=names, **more)
        message.type_url, message.response_nonce = kind, nonce
        if node:
            told = node if isinstance(node, dict) else {"id": node, "cluster": "orders"}
            json_format.ParseDict(told, message.node)
        if refused is not None:
            message.error_detail.CopyFrom(Status(code=13, message=refused))
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):  # ended: `end` tells how
            await self.call.write(message)

    async def hear(self):
        answer = await asyncio.wait_for(self.call.read(), SOON_S)
        assert answer is not grpc.aio.EOF, "the stream has ended"
        return answer

    async def acknowledge(self, answer, names=()):
        version = answer.version_info if self.mode is Mode.SOTW else ""
        names = names if self.mode is Mode.SOTW else ()
        await self.ask(answer.type_url, names, nonce=answer.nonce, version=version)

    async def silent(self):
        """Whether nothing more is told: we end the stream, and so it does, after what it has yet
        to say to all that was asked.
        """
        await self.call.done_writing()
        return await asyncio.wait_for(self.call.read(), SOON_S) is grpc.aio.EOF

    async def end(self):
        """How the server ends it: the code and why."""
        with suppress(grpc.aio.AioRpcError):
            while await asyncio.wait_for(self.call.read(), SOON_S) is not grpc.aio.EOF:
                pass
        return await self.call.code(), await self.call.details()


@asynccontextmanager
async def talking_over(channel, mode=Mode.DELTA):
    stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
    whole = mode is Mode.SOTW
    call = stub.StreamAggregatedResources() if whole else stub.DeltaAggregatedResources()
    try:
        yield Talk(call, mode)
    finally:
        call.cancel()


@asynccontextmanager
async def talking(address, mode=Mode.DELTA):
    async with (
        grpc.aio.insecure_channel(address) as channel,
        talking_over(channel, mode) as talk,
    ):
        yield talk
