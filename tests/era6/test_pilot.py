"""The control plane as a process: who is told what, and what outlives its end."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from era6_control_plane import pilot_link
from era6_control_plane.debounce import Debounce
from era6_control_plane.mesh_client import Refused
from era6_control_plane.names import CDS, LDS, RDS
from era6_control_plane.words import Heartbeat
from tests.era6.pilot_process import INTENT, describe, pilot

SLOWER = INTENT.replace("[services.inventory]\n", "[services.inventory]\nmost_in_flight = 7\n")
DEADLINE = INTENT + "[services.inventory.client]\ndeadline_s = 2.5\n"


def run(test, folder):
    async def whole():
        async with pilot(folder) as there:
            await test(there)

    asyncio.run(asyncio.wait_for(whole(), 60))


async def follow(talk, instance="orders-1", service="orders"):
    """Takes all there is at first; gives the names of each kind."""
    told = {}
    await talk.ask(CDS, node=describe(instance, service))
    answer = await talk.hear()
    told[CDS] = {one.name for one in answer.resources}
    await talk.acknowledge(answer)
    await talk.ask(LDS)
    answer = await talk.hear()
    told[LDS] = {one.name for one in answer.resources}
    await talk.acknowledge(answer)
    await talk.ask(RDS, ["inbound", "outbound"])
    answer = await talk.hear()
    told[RDS] = {one.name for one in answer.resources}
    await talk.acknowledge(answer)
    return told


@asynccontextmanager
async def following(there):
    """The stream of orders-1, which has joined and taken all there is at first."""
    async with there.talking(await there.join("orders", "orders-1")) as talk:
        await follow(talk)
        yield talk


async def take(talk):
    answer = await talk.hear()
    await talk.acknowledge(answer)
    return answer


async def take_all(talk):
    while True:
        await take(talk)


def test_who_has_joined_is_told_what_concerns_it(tmp_path):
    async def test(there):
        shown = await there.join("orders", "orders-1")
        async with there.talking(shown) as talk:
            told = await follow(talk)
            assert told[LDS] == {"inbound", "outbound"}
            assert "outbound|inventory|" in told[CDS] and "app" in told[CDS]
            status = await there.status(1)
            (node,) = status["nodes"]
            assert (node["node"], node["service"], node["connected"]) == (
                "orders-1",
                "orders",
                True,
            )
            for each in node["types"].values():
                assert each["desired"] == each["acknowledged"] and each["refused"] is None
        assert "orders/orders-1 is connected" in there.said

    run(test, tmp_path)


@pytest.mark.parametrize(
    ("instance", "service"), [("orders-2", "orders"), ("orders-1", "inventory")]
)
def test_who_says_it_is_another_is_refused_by_name(instance, service, tmp_path):
    async def test(there):
        shown = await there.join("orders", "orders-1")
        async with there.talking(shown) as talk:
            await talk.ask(CDS, node=describe(instance, service))
            code, why = await talk.end()
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert instance in why and "accepted: ('orders', 'orders-1')" in why

    run(test, tmp_path)


def test_a_change_is_pushed_and_waited_for(tmp_path):
    async def test(there):
        async with following(there) as talk:
            told = await there.apply(DEADLINE)
            waiting = asyncio.ensure_future(there.status(told["revision"]))
            answer = await talk.hear()
            assert not waiting.done(), "nobody has acknowledged yet"
            await talk.acknowledge(answer)
            taking = asyncio.ensure_future(take_all(talk))
            status = await waiting
            taking.cancel()
            assert status["is_settled"] and status["revision"] == told["revision"] == 2

    run(test, tmp_path)


def test_what_a_proxy_refuses_is_shown_with_its_words(tmp_path):
    async def test(there):
        async with following(there) as talk:
            told = await there.apply(DEADLINE)
            answer = await talk.hear()
            why = "outbound: timeout: not as I like it"
            await talk.ask(answer.type_url, nonce=answer.nonce, refused=why)
            status = await there.status(told["revision"])
            (node,) = status["nodes"]
            assert [each["refused"] for each in node["types"].values() if each["refused"]] == [why]
            assert any(f"orders-1 refuses RDS: {why}" in line for line in there.said)

    run(test, tmp_path)


def test_a_bad_intent_changes_nothing(tmp_path):
    async def test(there):
        async with following(there) as talk:
            with pytest.raises(Refused):
                await there.apply(INTENT.replace('"GET"', '"FETCH"'))
            status = await there.status(1)
            assert status["revision"] == 1 and status["is_settled"]
            assert await talk.silent()

    run(test, tmp_path)


def test_one_that_starts_again_knows_all_and_sends_nothing_that_is_there(tmp_path):
    async def test(there):
        shown = await there.join("orders", "orders-1")
        callee = await there.join("inventory", "inventory-1")
        await there.apply(SLOWER)
        async with pilot_link.channel(there.at["nodes"], there.believed(), callee) as opened:
            attending = pilot_link.Attending(opened)
            await attending.say(Heartbeat(url="http://127.0.0.1:9999", version="v1", is_well=True))
            await attending.hear()
            while not (before := (await there.status())["endpoints"]):
                await asyncio.sleep(0.01)
            async with there.talking(shown) as talk:
                await talk.ask(CDS, node=describe("orders-1", "orders"))
                answer = await take(talk)
            await there.stop(kill=True)
        await there.start()
        status = await there.status()
        shown_at = [(each["instance"], each["url"]) for each in status["endpoints"]]
        assert shown_at == [(each["instance"], each["url"]) for each in before]
        assert status["revision"] == 2
        has = {one.name: one.version for one in answer.resources}
        async with there.talking(shown) as talk:
            node = describe("orders-1", "orders")
            await talk.ask(CDS, node=node, initial_resource_versions=has)
            assert await talk.silent()
        assert any("revision 2 stays in force" in line for line in there.said)

    run(test, tmp_path)


def test_it_ends_in_good_order(tmp_path):
    async def test(there):
        async with following(there) as talk:
            assert await there.stop() == 0
            assert (await talk.end())[0] is grpc.StatusCode.UNAVAILABLE
        assert "ends" in there.said
        assert not any("Traceback" in line for line in there.said)

    run(test, tmp_path)


def test_its_state_is_its_own(tmp_path):
    async def test(there):
        assert there.state.stat().st_mode & 0o777 == 0o700
        assert (there.state / "operator.token").stat().st_mode & 0o777 == 0o600

    run(test, tmp_path)


def test_the_first_change_is_told_at_once_and_those_soon_after_it_together():
    debounce = Debounce(quiet_s=0.02)
    assert debounce.changed(10.0) == 10.0
    assert debounce.changed(10.0) is None, "that is in the same telling"
    debounce.told(10.0)
    assert debounce.changed(10.001) == 10.02
    assert debounce.changed(10.015) is None and debounce.is_waiting
    debounce.told(10.02)
    assert debounce.changed(11.0) == 11.0
