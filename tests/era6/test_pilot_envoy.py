"""Our discovery and a real Envoy: what is pushed is in force, and no request falls between."""

import asyncio
import json
import signal
import time
import urllib.request

import pytest

from era6_control_plane.names import CDS, LDS, RDS
from era6_control_plane.talk import Mode
from tests.era6 import real_envoy
from tests.era6.real_envoy import Caller, backend, bootstrap, world
from tests.era6.xds_client import serving
from tests.ports import free_port

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
FLIPS = 100
CALLERS = 4
NODE = "orders/orders-1"


def run(test):
    asyncio.run(asyncio.wait_for(test(), 60))


class Bench:
    """A pilot's discovery, an Envoy under it, and two services a and b."""

    def __init__(self, discovery, port, a, b, said, now):
        self.discovery, self.port, self.said, self.now = discovery, port, said, now
        self.a, self.b = a, b

    @property
    def stream(self):
        return self.discovery.conversations()[NODE].stream

    def push(self, snapshot):
        self.now[NODE] = snapshot
        self.discovery.push()

    async def settled(self, within_s=20.0):
        until = time.monotonic() + within_s
        while not self.stream.is_settled(self.now[NODE]):
            assert time.monotonic() < until, self.stream.progress(self.now[NODE])
            await asyncio.sleep(0.001)


def bench(folder, mode, test):
    """Runs `test` with a bench, at first with route and cluster a only."""

    async def whole():
        port, admin = free_port(), free_port()
        async with backend(b"a") as a, backend(b"b") as b:
            now = {NODE: world(port, {"a": a}, "a")}
            async with serving(now.get) as (discovery, pilot, said):
                told = bootstrap(int(pilot.rpartition(":")[2]), admin, mode)
                async with real_envoy.running(folder, told, admin) as process:
                    made = Bench(discovery, port, a, b, said, now)
                    made.admin, made.process = admin, process
                    await made.settled()
                    await test(made)

    run(whole)


def admin(made, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{made.admin}{path}") as answer:
        return json.load(answer)


@BOTH
def test_a_hundred_flips_of_cluster_and_route_fail_no_request(mode, tmp_path):
    async def test(made):
        callers = [Caller(made.port) for _ in range(CALLERS)]
        stop = asyncio.Event()
        load = [asyncio.ensure_future(each.until_stopped(stop)) for each in callers]
        there = {"a": made.a, "b": made.b}

        def answers(letter):
            return sum(each.seen[200, letter.encode()] for each in callers)

        for number in range(FLIPS):
            letter = "ba"[number % 2]
            before = answers(letter)
            made.push(world(made.port, {letter: there[letter]}, letter))
            while answers(letter) == before:  # in force for one; not settled, nor for all
                await asyncio.sleep(0.001)
        await made.settled()
        stop.set()
        await asyncio.gather(*load)
        seen = sum((each.seen for each in callers), start=type(callers[0].seen)())
        assert {status for status, _ in seen} == {200}, seen
        assert {body for _, body in seen} == {b"a", b"b"}
        progress = made.stream.progress(made.now[NODE])
        assert all(each.desired == each.acknowledged for each in progress.values())

    bench(tmp_path, mode, test)


@BOTH
def test_push_after_push_is_in_force(mode, tmp_path):
    async def test(made):
        caller = Caller(made.port)
        there = {"a": made.a, "b": made.b}
        for number in range(30):
            letter = "ba"[number % 2]
            began = time.monotonic()
            made.push(world(made.port, {letter: there[letter]}, letter))
            while (await caller.ask())[1] != letter.encode():
                assert time.monotonic() < began + 15
            await made.settled()
        caller.close()

    bench(tmp_path, mode, test)


@BOTH
def test_a_change_of_clusters_alone_is_warmed_at_once(mode, tmp_path):
    async def test(made):
        made.push(world(made.port, {"a": made.a}, "a", timeout_s=0.7))
        await made.settled()
        waited = admin(made, "/stats?filter=init_fetch_timeout&format=json")["stats"]
        assert waited and not any(each["value"] for each in waited), "the endpoints came late"
        dumped = admin(made, "/config_dump?resource=dynamic_active_clusters")["configs"]
        assert [each["cluster"]["connect_timeout"] for each in dumped] == ["0.700s"]

    bench(tmp_path, mode, test)


@BOTH
def test_what_envoy_refuses_is_seen_and_the_last_good_serves_on(mode, tmp_path):
    async def test(made):
        there = {"a": made.a}
        bad = world(made.port, there, "a", match={"safe_regex": {"regex": "(("}})
        made.push(bad)
        await made.settled()
        progress = made.stream.progress(bad)[RDS]
        assert "((" in progress.refused and progress.acknowledged != progress.desired
        caller = Caller(made.port)
        assert await caller.ask() == (200, b"a")
        made.push(world(70000, there, "a"))
        await made.settled()
        assert "port" in made.stream.progress(made.now[NODE])[LDS].refused.lower()
        assert await caller.ask() == (200, b"a")
        count = len(made.said)
        made.discovery.push()
        await made.settled()
        assert len(made.said) == count, "what was refused is not said again"
        made.push(world(made.port, {"b": made.b}, "b"))
        await made.settled()
        assert await caller.ask() == (200, b"b")
        told = made.stream.progress(made.now[NODE])
        assert all(each.refused is None for each in told.values())
        assert told[CDS].acknowledged == told[CDS].desired
        caller.close()

    bench(tmp_path, mode, test)


def test_a_proxy_that_is_frozen_is_seen_to_be_gone(tmp_path):
    async def test(made):
        made.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            while NODE in made.discovery.conversations():
                assert time.monotonic() < began + 15
                await asyncio.sleep(0.05)
        finally:
            made.process.send_signal(signal.SIGCONT)

    bench(tmp_path, Mode.DELTA, test)
