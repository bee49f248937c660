"""Agents that mean ill, and clocks that jump: what they cost the control plane, and all others."""

import asyncio
import time
from random import Random

import pytest
from cryptography import x509

from era6_control_plane import enrolment
from era6_control_plane.attending import Attendant
from era6_control_plane.citadel import OWN_LIFE_S, Citadel
from era6_control_plane.membership import Membership
from era6_control_plane.pace import AT_ONCE, MOST_A_SECOND
from era6_control_plane.pilot_link import Attending, channel
from era6_control_plane.wall_clock import wait_until
from era6_control_plane.words import Heartbeat
from tests.era6.join_server import Clock
from tests.era6.test_enrolment import URL, beat, joined, run, until

TWICE_WRITTEN = ["http://127.0.0.1:080", "http://127.0.0.1:00080"]


def test_an_agent_that_beats_without_end_is_heard_at_a_pace(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        heard = 0

        def confirm(*_):  # each of these would be written to the disk
            nonlocal heard
            heard += 1

        pilot.citadel.confirm = confirm
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            attending, began = Attending(opened), time.monotonic()

            async def beat_without_end():
                for number in range(100_000):
                    await attending.say(beat(pilot, pair, serial=f"{number:x}"))

            beating = asyncio.create_task(beat_without_end())
            await until(lambda: heard > AT_ONCE + 50)
            allowed = AT_ONCE + MOST_A_SECOND * (time.monotonic() - began) + 10
            assert heard < allowed
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    run(scenario, tmp_path)


def test_an_agent_that_is_gone_leaves_nothing_waiting(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        for _ in range(5):
            async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
                attending = Attending(opened)
                await attending.say(beat(pilot, pair))
                await attending.hear()
        await until(lambda: not pilot.enrolment._attendance._seats)
        waiting = [str(each.get_coro()) for each in asyncio.all_tasks()]
        assert not [each for each in waiting if "Event.wait" in each]

    run(scenario, tmp_path)


@pytest.mark.parametrize("url", TWICE_WRITTEN)
def test_an_address_that_nobody_could_be_told_is_refused_at_the_door(tmp_path, url):
    with pytest.raises(ValueError, match="http://IP:PORT inside"):
        Membership(tmp_path / "members.db", 0.0).check(url, "v1")


def test_a_clock_that_is_set_back_gives_the_control_plane_another_certificate(tmp_path):
    earlier = time.time()
    citadel = Citadel(tmp_path, earlier)
    citadel.own(earlier + OWN_LIFE_S)
    shown = x509.load_pem_x509_certificate(citadel.own(earlier).certificate)
    assert shown.not_valid_before_utc.timestamp() <= earlier


def test_a_host_that_slept_finds_out_that_the_moment_is_over():
    clock, looks = Clock(1000.0), []

    def looked():
        looks.append(clock.now)
        return clock.now

    async def test():
        waiting = asyncio.create_task(wait_until(4600.0, asyncio.Event(), looked, look_s=0.01))
        await until(lambda: len(looks) > 5)
        assert not waiting.done()
        clock.now = 9000.0  # nobody counted these seconds
        await asyncio.wait_for(waiting, 5)

    asyncio.run(test())


def test_who_is_told_to_leave_in_the_middle_of_a_heartbeat_says_so_with_another_one():
    said, is_ending = [], False

    class Shown:
        pair = "of that moment"

    class Stream:
        async def say(self, heartbeat):
            nonlocal is_ending
            said.append(heartbeat.leaving)
            is_ending = True
            attendant.leave()

        async def finish(self):
            said.append("the end")

    attendant = Attendant(
        "https://127.0.0.1:1",
        0.01,
        lambda: Shown,
        lambda: Heartbeat(leaving=is_ending),
        lambda instruction: None,
        Random(7),
        said.append,
    )
    asyncio.run(asyncio.wait_for(attendant._beat(Stream(), Shown), 5))
    assert said == [False, True, "the end"]


def test_a_control_plane_that_stood_still_takes_nobody_for_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(enrolment, "LOOK_EVERY_S", 0.01)

    async def scenario(pilot):
        looks = 0
        look = pilot.enrolment.look

        def counted():
            nonlocal looks
            looks += 1
            look()

        async def some_looks():
            wanted = looks + 3
            await until(lambda: looks >= wanted)

        pilot.enrolment.look = counted
        for number in (1, 2):
            pilot.membership.hear(("inventory", f"inventory-{number}"), URL, "v1", pilot.clock())
        running = asyncio.create_task(pilot.enrolment.run())
        await some_looks()
        pilot.clock.now += 60.0  # SIGSTOP, or a disk that is slow
        await some_looks()
        pilot.membership.hear(("inventory", "inventory-1"), URL, "v1", pilot.clock())
        await some_looks()
        assert pilot.names() == ["inventory-1", "inventory-2"]
        for _ in range(5):
            pilot.clock.now += 0.45  # but time that goes by as it should counts
            pilot.membership.hear(("inventory", "inventory-1"), URL, "v1", pilot.clock())
            await some_looks()
        assert pilot.names() == ["inventory-1"]
        running.cancel()

    run(scenario, tmp_path)
