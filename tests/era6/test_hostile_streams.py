"""Who has a certificate of ours and means ill: what one node can do to the control plane."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc

from era5_sidecar.certificates import Pair, key_in_pem
from era6_control_plane import pilot_link, requests_to_sign
from era6_control_plane.names import CDS
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.talk import Mode
from era6_control_plane.xds import MOST_OF_ONE, OPTIONS, DiscoveryServer
from tests.era6.join_server import running
from tests.era6.xds_client import Talk, friend


def certified(pilot, service, instance):
    key = requests_to_sign.new_key()
    asked = requests_to_sign.request(key)
    made = pilot.citadel.sign(asked, service, instance, 60.0, time.time())
    return Pair(made, key_in_pem(key))


@asynccontextmanager
async def serving(folder):
    """Discovery behind mutual TLS. Gives its address, and whoever signs."""
    async with running(folder, time.time, time.monotonic) as pilot:
        discovery = DiscoveryServer(lambda node: Snapshot(), friend, pilot.said.append)
        server = grpc.aio.server(options=OPTIONS)
        discovery.add_ads(server)
        port = server.add_secure_port("127.0.0.1:0", pilot.enrolment.node_credentials())
        await server.start()
        try:
            yield f"https://127.0.0.1:{port}", pilot
        finally:
            await discovery.stop()
            await server.stop(0)


@asynccontextmanager
async def stub(pilot, url, pair):
    async with pilot_link.channel(url, pilot.citadel.authorities(), pair) as channel:
        yield ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)


def test_one_node_that_begins_many_streams_and_says_nothing_shuts_nobody_out(tmp_path):
    async def test():
        async with serving(tmp_path) as (url, pilot), AsyncExitStack() as stack:
            shown = certified(pilot, "inventory", "inventory-1")
            mute = await stack.enter_async_context(stub(pilot, url, shown))
            calls = [mute.DeltaAggregatedResources() for _ in range(4 * MOST_OF_ONE)]
            ended = [asyncio.ensure_future(each.code()) for each in calls]
            await asyncio.wait(ended, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(5):
                while sum(each.done() for each in ended) < 3 * MOST_OF_ONE:
                    await asyncio.sleep(0.01)
            codes = {each.result() for each in ended if each.done()}
            assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            other = certified(pilot, "orders", "orders-1")
            fine = await stack.enter_async_context(stub(pilot, url, other))
            talk = Talk(fine.DeltaAggregatedResources(), Mode.DELTA)
            await talk.ask(CDS, node="orders-1")
            assert (await talk.hear()).type_url == CDS
            for each in calls:
                each.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

    asyncio.run(asyncio.wait_for(test(), 30))


def test_who_connects_and_shows_nothing_is_hung_up_on(tmp_path):
    """Each would cost a file for two minutes: a thousand of them, and nobody else gets in."""

    async def test():
        async with serving(tmp_path) as (url, pilot):
            ports = [each.rpartition(":")[2] for each in (url, pilot.join, pilot.nodes)]
            open_ = [await asyncio.open_connection("127.0.0.1", int(port)) for port in ports]
            ends = [reader.read() for reader, _ in open_]
            assert await asyncio.wait_for(asyncio.gather(*ends), 10) == [b""] * 3
            for _, writer in open_:
                writer.close()

    asyncio.run(asyncio.wait_for(test(), 30))
