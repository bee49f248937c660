"""A host whose clock is set back: what it had begins in its future, and nobody believes it."""

import asyncio
import time
from random import Random

import pytest

from era5_sidecar.certificates import SKEW_S
from era6_control_plane import requests_to_sign
from era6_control_plane.citadel import Citadel
from era6_control_plane.credential import Safe, granted
from era6_control_plane.wall_clock import wait_until
from era6_control_plane.words import Grant
from tests.era6.agent_process import beside, pilot_at, proxy_of, until

NOW, LIFE_S, LATER_S = 1_800_000_000.0, 3600.0, 10_000.0
ME = ("inventory", "inventory-1")


def credential_of(citadel, now):
    """As an agent gets it when the clock says this."""
    key = requests_to_sign.new_key()
    made = citadel.sign(requests_to_sign.request(key), *ME, LIFE_S, now)
    return granted(Grant(made.decode(), citadel.authorities().decode()), key, ME)


def test_a_certificate_is_good_from_its_beginning_to_its_end(tmp_path):
    made = credential_of(Citadel(tmp_path, NOW), NOW)
    begins, ends = NOW - SKEW_S, NOW + LIFE_S
    assert begins < NOW < made.renew_at(Random(1)) < ends
    assert [made.why_not_good(at) for at in (begins, NOW, ends - 1)] == ["", "", ""]
    assert "has not begun: the clock is wrong" in made.why_not_good(begins - 1)
    assert "has ended" in made.why_not_good(ends)


@pytest.mark.parametrize("seen", [NOW - 1, NOW + LIFE_S])
def test_a_clock_that_shows_too_little_ends_the_wait_as_one_that_shows_enough(seen):
    clock = [NOW, NOW, seen]

    async def test():
        moment, never = NOW + LIFE_S, asyncio.Event()
        await wait_until(moment, never, lambda: clock.pop(0), look_s=0.0, since=NOW)

    asyncio.run(asyncio.wait_for(test(), 5))
    assert not clock


def test_an_agent_whose_certificate_begins_later_is_let_in_by_a_new_token(tmp_path):
    async def test():
        async with beside(tmp_path / "node") as made, pilot_at(tmp_path) as pilot:
            await made.start_under(pilot)
            await made.stop()
            future = credential_of(pilot.citadel, time.time() + LATER_S)
            Safe(made.folder / "state").keep(future)
            await made.start()
            await until(lambda: made.has_said("the certificate has not begun"))
            (made.folder / "token").write_text(pilot.token())
            await made.ready()
            async with proxy_of(made) as proxy:
                assert proxy.peer.begins_at <= time.time()

    asyncio.run(asyncio.wait_for(test(), 30))
