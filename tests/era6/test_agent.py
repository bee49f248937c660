"""A real agent, with a real control plane to join and a proxy that a test plays."""

import asyncio
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from era6_control_plane.neighbours import GRACE_S
from tests.era6.agent_process import (
    INBOUND,
    Proxy,
    beside,
    channel_to,
    pilot_at,
    proxy_of,
    relay_to,
    until,
)
from tests.era6.roles import begin

ENDPOINT = ("inventory", "inventory-1", "v1", INBOUND)


def run(scenario, tmp_path):
    async def whole():
        async with asyncio.timeout(60), beside(tmp_path / "node") as made:
            await scenario(made, tmp_path / "pilot")

    asyncio.run(whole())


def endpoints(pilot):
    return [
        (each.service, each.instance, each.version, each.url)
        for each in pilot.membership.endpoints()
    ]


def test_it_joins_serves_what_it_got_and_says_where_its_proxy_is(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            token = pilot.token()
            made.write(pilot, token)
            await made.start()
            await made.ready()
            async with channel_to(made) as channel:
                ways = "sds whole", "sds delta", "ads whole", "ads delta"
                proxies = [await Proxy(channel, way).ask() for way in ways]
                for proxy in proxies:
                    assert proxy.peer.name == ("inventory", "inventory-1")
                    assert proxy.authorities == pilot.citadel.authorities()
                    key = serialization.load_pem_private_key(proxy.key, None)
                    certificate = x509.load_pem_x509_certificate(proxy.certificate)
                    assert key.public_key() == certificate.public_key()
                await until(lambda: endpoints(pilot) == [ENDPOINT])
            await check_nobody_else_reads(made, token, proxies[0].key)
            assert await made.stop() == 0
            await until(lambda: "inventory/inventory-1 leaves" in pilot.said)

    run(scenario, tmp_path)


async def check_nobody_else_reads(made, token, key):
    folder = made.folder
    modes = {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (
            folder / "state",
            *(folder / "state").iterdir(),
            *(folder / "sockets").iterdir(),
        )
    }
    assert modes == {
        "state": 0o700,
        "state/credential.json": 0o600,
        "sockets/agent.sock": 0o600,
    }
    assert stat.S_IMODE((folder / "sockets").stat().st_mode) == 0o700
    said = "".join(made.said)
    assert token.split(".")[1] not in said
    assert not any(line in said for line in key.decode().splitlines()[1:-1])


def test_it_waits_for_its_token_and_for_a_control_plane_that_comes_later(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            at = pilot.nodes_port, pilot.join_port
            made.write(pilot)
            await made.start()
            await until(lambda: made.has_said("token (pilot.token): No such file"))
        (made.folder / "token").write_text("")
        await until(lambda: made.has_said("no token in"))
        (made.folder / "token").write_text("canary.in-a-coal-mine")
        await until(lambda: made.has_said(f"control plane at {pilot.join}: unavailable"))
        async with pilot_at(folder, *at) as pilot:
            await until(lambda: made.has_said("the token is none of ours); "))
            (made.folder / "token").write_text(pilot.token())
            await made.ready()
            for said in (made.said, pilot.said):
                assert not any("coal-mine" in line for line in said)

    run(scenario, tmp_path)


def test_a_restarted_agent_needs_no_token_and_no_control_plane(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            at = pilot.nodes_port, pilot.join_port
            await made.start_under(pilot)
            async with proxy_of(made) as proxy:
                before = proxy.peer
            (made.folder / "token").unlink()
            await made.kill()
        await made.start()
        await made.ready()
        async with proxy_of(made) as proxy:
            assert proxy.peer == before
            await until(lambda: made.has_said("what was said stays in force"))
            async with pilot_at(folder, *at) as pilot:
                await until(lambda: endpoints(pilot) == [ENDPOINT])
                await until(lambda: made.has_said("control plane is back"))

    run(scenario, tmp_path)


def test_who_is_there_outlives_the_control_plane(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            at = pilot.nodes_port, pilot.join_port
            await made.start_under(pilot)
            async with proxy_of(made):
                await until(lambda: endpoints(pilot) == [ENDPOINT])
        async with pilot_at(folder, *at) as pilot:
            assert endpoints(pilot) == [ENDPOINT]

    run(scenario, tmp_path)


def test_it_renews_at_half_its_life_with_another_key_and_tells_the_proxy(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder, life_s=4.0) as pilot:
            await made.start_under(pilot)
            async with proxy_of(made) as proxy:
                first, key = proxy.peer, proxy.key
                await proxy.hear()
                assert first.serial != proxy.peer.serial
                assert first.name == proxy.peer.name
                assert key != proxy.key
                second = proxy.peer
                await proxy.hear()
                assert first.ends_at < second.ends_at < proxy.peer.ends_at
                await until(lambda: endpoints(pilot) == [ENDPOINT])

    run(scenario, tmp_path)


def test_cut_off_until_its_certificate_has_ended_it_needs_a_new_token(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder, life_s=2.0) as pilot:
            at = pilot.nodes_port, pilot.join_port
            await made.start_under(pilot)
        async with proxy_of(made) as proxy:
            await until(lambda: made.has_said("no new certificate yet"))
            await until(lambda: made.has_said("has ended, and only a new token can help"))
            async with pilot_at(folder, *at) as pilot:
                (made.folder / "token").write_text(pilot.token())
                before = proxy.peer
                await proxy.hear()
                assert proxy.peer.ends_at > before.ends_at
                await until(lambda: endpoints(pilot) == [ENDPOINT])

    run(scenario, tmp_path)


def test_an_authority_is_replaced_and_the_proxy_is_told_each_step(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            await made.start_under(pilot)
            async with proxy_of(made) as proxy:
                old, first = proxy.authorities, proxy.peer
                await until(lambda: endpoints(pilot) == [ENDPOINT])
                pilot.citadel.rotate(pilot.wall())
                steps = []
                while not steps or steps[-1] != (1, True):
                    await proxy.hear()
                    is_new = proxy.peer.signed_by != first.signed_by
                    steps.append((proxy.authorities.count(b"BEGIN"), is_new))
                assert steps == [(2, False), (2, True), (1, True)]
                assert proxy.authorities not in old
                stage = lambda: pilot.citadel.status(pilot.wall())["stage"]  # noqa: E731
                await until(lambda: stage() == "steady")

    run(scenario, tmp_path)


def test_a_control_plane_that_hangs_is_noticed_and_left(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot, relay_to(pilot.nodes_port) as relay:
            await made.start_under(pilot, nodes=relay.url)
            async with proxy_of(made):
                await until(lambda: endpoints(pilot) == [ENDPOINT])
                relay.passes.clear()  # connected, and silent
                await until(lambda: made.has_said("what was said stays in force"))
                async with proxy_of(made) as another:
                    assert another.authorities == pilot.citadel.authorities()
                relay.passes.set()
                await until(lambda: made.has_said("control plane is back"))

    run(scenario, tmp_path)


def test_who_is_not_well_or_has_no_proxy_is_no_endpoint(tmp_path):
    async def scenario(made, folder):
        async with pilot_at(folder) as pilot:
            pilot.membership.hear(("inventory", "inventory-2"), INBOUND, "", pilot.clock() + 1000)
            await made.start_under(pilot)
            async with proxy_of(made):
                await until(lambda: len(endpoints(pilot)) == 2)
                made.app_status = 500
                await until(lambda: len(endpoints(pilot)) == 1)
                made.app_status = 200
                await until(lambda: len(endpoints(pilot)) == 2)
            await until(lambda: len(endpoints(pilot)) == 1)
            async with channel_to(made) as channel:
                await Proxy(channel, inbound="no address").ask()
                before = await Proxy(channel).ask()
                await until(lambda: len(endpoints(pilot)) == 2)
                await Proxy(channel, inbound="").ask()  # it takes leave
                before.end()
                await until(lambda: len(endpoints(pilot)) == 1, within_s=GRACE_S * 0.8)

    run(scenario, tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "line 1: service is missing"), ("service = 1", "line 1: instance is missing")],
)
def test_a_file_that_is_none_ends_the_start(tmp_path, text, told):
    (tmp_path / "node.toml").write_text(text)
    with (tmp_path / "stderr").open("w") as stderr:
        ended = begin("agent", "--config", f"{tmp_path}/node.toml", stderr=stderr.fileno())
    assert ended.wait() == 2
    ended.end()
    assert told in (tmp_path / "stderr").read_text()
