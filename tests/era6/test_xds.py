"""Streams of xDS over gRPC: who is let in, how many, and who holds up whom."""

import asyncio
import time

import grpc
import pytest

from era6_control_plane.names import CDS, EDS, LDS
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.talk import Mode
from era6_control_plane.xds import Caller, Refused
from tests.era6.simulated import resource
from tests.era6.xds_client import serving, talking

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
ONE = Snapshot([resource(CDS, "a", 1), resource(EDS, "a", 1), resource(LDS, "in", 1)])


def run(test):
    asyncio.run(asyncio.wait_for(test(), 30))


def names(answer, mode):
    return len(answer.resources) if mode is Mode.SOTW else {one.name for one in answer.resources}


async def until(true, within_s=5.0):
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.005)


@BOTH
def test_what_is_asked_for_is_answered_and_a_change_is_pushed(mode):
    async def test():
        now = {"orders/orders-1": ONE}
        async with serving(now.get) as (discovery, at, _), talking(at, mode) as talk:
            await talk.ask(CDS, node="orders-1")
            first = await talk.hear()
            assert first.type_url == CDS and len(first.resources) == 1
            await talk.acknowledge(first)
            await until(lambda: held(discovery).stream.is_settled(ONE))
            now["orders/orders-1"] = Snapshot([resource(CDS, "a", 2)])
            discovery.push()
            second = await talk.hear()
            assert second.nonce != first.nonce and len(second.resources) == 1

    run(test)


def held(discovery, node="orders-1"):
    return discovery.conversations()[f"orders/{node}"]


@BOTH
def test_a_node_that_nobody_knows_is_told_nothing(mode):
    async def test():
        async with serving(lambda node: None) as (_, at, _), talking(at, mode) as talk:
            await talk.ask(CDS, node="stranger")
            assert await talk.silent()

    run(test)


def test_who_lies_about_its_node_is_told_so_and_ended():
    async def test():
        def greet(node, context):
            raise Refused(f"node.id is {node.id!r}; accepted: orders-1")

        async with serving(lambda node: ONE, greet) as (_, at, said), talking(at) as talk:
            await talk.ask(CDS, node="inventory-1")
            code, why = await talk.end()
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert why == "node.id is 'inventory-1'; accepted: orders-1"
            assert said == [f"inventory-1: {why}"]

    run(test)


def test_who_becomes_another_node_is_ended():
    async def test():
        async with serving(lambda node: ONE) as (_, at, _), talking(at) as talk:
            await talk.ask(CDS, node="orders-1")
            await talk.ask(LDS, node="inventory-1")
            assert (await talk.end())[0] is grpc.StatusCode.PERMISSION_DENIED

    run(test)


def test_the_newer_stream_of_a_node_ends_the_older():
    async def test():
        async with (
            serving(lambda node: ONE) as (discovery, at, _),
            talking(at) as old,
            talking(at) as new,
        ):
            await old.ask(CDS, node="orders-1")
            await old.hear()
            await new.ask(CDS, node="orders-1")
            await new.hear()
            assert (await old.end())[0] is grpc.StatusCode.ABORTED
            assert len(discovery.conversations()) == 1

    run(test)


def test_where_each_secret_has_its_own_stream_all_are_held():
    async def test():
        more = {"is_one_per_node": False}
        async with (
            serving(lambda node: ONE, **more) as (_, at, _),
            talking(at) as one,
            talking(at) as other,
        ):
            for each in (one, other):
                await each.ask(CDS, node="orders-1")
                answer = await each.hear()
                await each.acknowledge(answer)
            assert await one.silent() and await other.silent()

    run(test)


def test_more_streams_than_may_be_are_refused_by_name():
    async def test():
        more = {"most_streams": 1}
        async with serving(lambda node: ONE, **more) as (_, at, _), talking(at) as first:
            await first.ask(CDS, node="orders-1")
            await first.hear()
            async with talking(at) as second:  # which is not even asked what it wants
                code, why = await second.end()
                assert code is grpc.StatusCode.RESOURCE_EXHAUSTED and "1 streams" in why

    run(test)


def test_a_stream_ends_with_the_certificate_that_it_began_with():
    async def test():
        def greet(node, context):
            return Caller(node.id, "orders", time.time() + 0.3)

        async with serving(lambda node: ONE, greet) as (_, at, _), talking(at) as talk:
            await talk.ask(CDS, node="orders-1")
            code, why = await talk.end()
            assert code is grpc.StatusCode.UNAUTHENTICATED and "certificate" in why

    run(test)


@BOTH
def test_who_never_acknowledges_holds_up_nobody_and_takes_no_memory(mode):
    async def test():
        now = {"orders/silent": ONE, "orders/good": ONE}
        async with (
            serving(now.get) as (discovery, at, _),
            talking(at, mode) as silent,
            talking(at, mode) as good,
        ):
            await silent.ask(CDS, node="silent")
            await good.ask(CDS, node="good")
            answer = await good.hear()
            for number in range(2, 30):
                await good.acknowledge(answer)
                await until(lambda: held(discovery, "good").stream.is_settled(now["orders/good"]))
                now["orders/good"] = now["orders/silent"] = Snapshot([resource(CDS, "a", number)])
                discovery.push()
                answer = await good.hear()
            await silent.hear()
            assert await silent.silent(), "what changed waits for the first acknowledgement"

    run(test)


def test_a_flood_of_requests_is_slowed_and_others_are_served():
    async def test():
        now = {"orders/flood": ONE, "orders/good": ONE}
        async with (
            serving(now.get) as (discovery, at, _),
            talking(at) as flood,
            talking(at) as good,
        ):
            await flood.ask(CDS, node="flood")

            async def pour():
                while True:
                    await flood.ask(CDS, nonce="no such nonce")

            pouring = asyncio.ensure_future(pour())
            await until(lambda: "orders/flood" in discovery.conversations())
            await until(lambda: held(discovery, "flood")._pace._spare < 0)
            await good.ask(CDS, node="good")
            await good.hear()
            assert not pouring.done()
            pouring.cancel()

    run(test)


def test_more_names_than_any_node_has_end_the_stream():
    async def test():
        async with serving(lambda node: ONE) as (_, at, _), talking(at) as talk:
            await talk.ask(EDS, [f"name-{number}" for number in range(20_001)], node="orders-1")
            code, why = await talk.end()
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED and "20001 names" in why

    run(test)


def test_a_refusal_is_said_in_the_log_and_kept_for_the_status():
    async def test():
        async with serving(lambda node: ONE) as (discovery, at, said), talking(at) as talk:
            await talk.ask(CDS, node="orders-1")
            answer = await talk.hear()
            await talk.ask(CDS, nonce=answer.nonce, refused="a: no such type")
            await until(lambda: said)
            assert said == ["orders-1 refuses CDS: a: no such type"]
            told = held(discovery).stream.progress(ONE)[CDS]
            assert told.refused == "a: no such type" and told.acknowledged != told.desired

    run(test)


def test_a_kind_that_there_is_not_is_ignored_and_said():
    async def test():
        async with serving(lambda node: ONE) as (_, at, said), talking(at) as talk:
            await talk.ask("type.googleapis.com/none", node="orders-1")
            await talk.ask(CDS)
            assert (await talk.hear()).type_url == CDS
            assert "type.googleapis.com/none" in said[0]

    run(test)


def test_who_comes_back_with_what_it_has_is_sent_nothing():
    async def test():
        async with serving(lambda node: ONE) as (_, at, _):
            async with talking(at) as talk:
                await talk.ask(CDS, node="orders-1")
                await talk.acknowledge(await talk.hear())
            has = {"a": ONE.of(CDS)["a"].version}
            async with talking(at) as talk:
                await talk.ask(CDS, node="orders-1", initial_resource_versions=has)
                assert await talk.silent()

    run(test)


def test_the_end_of_the_server_is_told_as_not_for_ever():
    async def test():
        async with serving(lambda node: ONE) as (discovery, at, _), talking(at) as talk:
            await talk.ask(CDS, node="orders-1")
            await talk.hear()
            await discovery.stop()
            assert (await talk.end())[0] is grpc.StatusCode.UNAVAILABLE

    run(test)
