"""Certificates that end while everything else goes on: who lives on an old connection."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from envoy.service.discovery.v3 import ads_pb2_grpc

from era5_sidecar import bought
from era6_control_plane.names import CDS
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.talk import Mode
from era6_control_plane.xds import NODE_OPTIONS, Caller, DiscoveryServer
from lab.stage import Stage
from tests.era6.xds_client import Talk

LIFE_S = 2.0
AGE = "grpc.max_connection_age_ms"


def test_a_stream_that_is_begun_anew_has_a_connection_of_its_own(tmp_path):
    """Else it would show the certificate with which the last one has just ended."""
    peers = []

    def greet(node, context):
        peers.append(context.peer())
        return Caller(node.id, node.cluster, float("inf"))

    async def test():
        discovery = DiscoveryServer(lambda node: Snapshot(), greet, lambda line: None)
        assert AGE in dict(NODE_OPTIONS)
        server = grpc.aio.server(options=[*{**dict(NODE_OPTIONS), AGE: 200}.items()])
        discovery.add_ads(server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
            first = Talk(stub.DeltaAggregatedResources(), Mode.DELTA)
            await first.ask(CDS, node="orders-1")
            await first.hear()
            async with asyncio.timeout(10):
                while len(set(peers)) < 2:
                    other = Talk(stub.DeltaAggregatedResources(), Mode.DELTA)
                    await other.ask(CDS, node=f"orders-{len(peers) + 1}")
                    await other.hear()
                    other.call.cancel()
                    await asyncio.sleep(0.05)  # between two that ask: not a wait for the age
            assert not first.call.done()
            first.call.cancel()
        await discovery.stop()
        await server.stop(0)

    asyncio.run(asyncio.wait_for(test(), 30))


def test_an_envoy_is_still_told_of_changes_when_its_first_certificate_has_ended(tmp_path):
    with suppress(bought.Missing):
        bought.find("envoy")
        _outlive(tmp_path)
        return
    pytest.skip("no Envoy here")


def _outlive(folder: Path) -> None:
    intent = folder / "intent.toml"
    own = Path(__file__).parents[2] / "era6_control_plane" / "intent.toml"
    life = f"[mesh]\ncertificate_life_s = {LIFE_S}"
    intent.write_text(own.read_text().replace("[mesh]", life))
    with Stage("6", proxy="envoy", instances=1, intent=intent) as stage:
        ends = time.monotonic() + 20
        while stage.logs("pilot").count("orders: the certificate that this stream began with") < 1:
            assert time.monotonic() < ends, stage.logs("pilot")[-2000:]
            time.sleep(0.05)
        told = stage.operator.apply(stage.operator.intent() + "[services.more]\n")
        while not all(each["connected"] for each in stage.operator.status()["nodes"]):
            assert time.monotonic() < ends, stage.logs("pilot")[-2000:]
            time.sleep(0.05)
        assert stage.operator.obeyed(told)["is_settled"]
