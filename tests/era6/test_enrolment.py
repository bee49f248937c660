"""Join, Renew and Attend over gRPC and TLS, and whom each of them refuses."""

import asyncio
import json
import ssl
import time

import grpc
import pytest
from cryptography import x509

from era5_sidecar.certificates import Authority, Pair, Span, key_in_pem
from era6_control_plane.authorities import hashed
from era6_control_plane.citadel import OWN_LIFE_S
from era6_control_plane.identity import named_in
from era6_control_plane.pilot_link import Attending, LinkLost, Refused, channel, join, renew
from era6_control_plane.requests_to_sign import new_key, request
from era6_control_plane.words import MESH, MOST_BYTES, Application, Heartbeat, Renewal
from tests.era6.join_server import Clock, running

URL = "http://127.0.0.1:15006"


def run(scenario, tmp_path, **told):
    """On a clock that stands still unless the test moves it; TLS itself knows only the real one."""

    async def whole():
        wall, clock = Clock(time.time()), Clock(100.0)
        async with asyncio.timeout(20), running(tmp_path / "pilot", wall, clock, **told) as pilot:
            await scenario(pilot)

    asyncio.run(whole())


async def joined(pilot, service="inventory", instance="inventory-1"):
    key = new_key()
    token = pilot.token(service, instance)
    asked = Application(token, service, instance, request(key).decode())
    grant = await join(pilot.join, pilot.citadel.authorities(), asked)
    return Pair(grant.certificate.encode(), key_in_pem(key))


def beat(pilot, pair, **told):
    known = {
        "url": URL,
        "version": "v1",
        "is_well": True,
        "serial": named_in(pair.certificate).serial,
    }
    known["authorities"] = hashed(pilot.citadel.authorities())
    return Heartbeat(**{**known, **told})


async def to_the_end(attending):
    while await attending.hear():
        pass


async def until(holds):
    while not holds():
        await asyncio.sleep(0.005)


def test_a_token_buys_a_certificate_and_a_certificate_the_next_one(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        assert named_in(pair.certificate).name == ("inventory", "inventory-1")
        csr = Renewal(request(new_key()).decode())
        grant = await renew(pilot.nodes, pilot.citadel.authorities(), pair, csr)
        assert named_in(grant.certificate.encode()).name == ("inventory", "inventory-1")
        assert grant.authorities.encode() == pilot.citadel.authorities()
        assert "inventory/inventory-1 joined" in pilot.said

    run(scenario, tmp_path)


def application(pilot, **told):
    known = {"token": pilot.token(), "service": "inventory", "instance": "inventory-1"}
    return Application(**{**known, "csr": request(new_key()).decode(), **told})


REFUSED_APPLICATIONS = [
    ({"token": "nonsense"}, "unauthenticated: the token is none of ours"),
    ({"token": ""}, "unauthenticated: the token is none of ours"),
    ({"instance": "inventory-2"}, "unauthenticated: the token is for another instance"),
    ({"service": "orders"}, "unauthenticated: the token is for another instance"),
    ({"service": "pilot"}, "invalid_argument: service 'pilot'; accepted: any but"),
    ({"service": "lab"}, "invalid_argument: service 'lab'"),
    ({"service": "Inventory"}, "invalid_argument: service 'Inventory'; accepted: 1 to 63"),
    ({"instance": "a/b"}, "invalid_argument: instance 'a/b'"),
    ({"csr": ""}, "invalid_argument: csr; accepted: a certificate request in PEM"),
    ({"csr": "x" * 9000}, "invalid_argument: csr of 9000 bytes"),
]


@pytest.mark.parametrize(("told", "why"), REFUSED_APPLICATIONS)
def test_an_application_that_cannot_be_is_refused_by_name(tmp_path, told, why):
    async def scenario(pilot):
        with pytest.raises(Refused) as caught:
            await join(pilot.join, pilot.citadel.authorities(), application(pilot, **told))
        assert why in str(caught.value)
        assert not any(str(told.get("token") or "-----") in line for line in pilot.said)

    run(scenario, tmp_path)


def test_a_token_is_good_once_and_until_it_ends(tmp_path):
    async def scenario(pilot):
        authorities, asked = pilot.citadel.authorities(), application(pilot)
        await join(pilot.join, authorities, asked)
        await join(pilot.join, authorities, asked)  # the same key: was the answer lost?
        other = application(pilot, token=asked.token)
        with pytest.raises(Refused, match="used already"):
            await join(pilot.join, authorities, other)
        late = application(pilot)
        pilot.wall.now += 60
        with pytest.raises(Refused, match="has expired"):
            await join(pilot.join, authorities, late)
        shown = asked.token, other.token, late.token
        assert not any(token.split(".")[1] in line for token in shown for line in pilot.said)

    run(scenario, tmp_path)


def test_of_ten_who_bring_one_token_one_gets_in(tmp_path):
    async def scenario(pilot):
        token = pilot.token()
        asked = [application(pilot, token=token) for _ in range(10)]
        authorities = pilot.citadel.authorities()
        asking = (join(pilot.join, authorities, each) for each in asked)
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert sorted(type(each).__name__ for each in outcomes) == ["Grant"] + ["Refused"] * 9

    run(scenario, tmp_path)


BAD_BODIES = [b"", b"no JSON", b"[]", b"\xff", b'"x"', b"[" * 100_000, b" " * (MOST_BYTES + 1)]
BAD_KINDS = [{"token": 1}, {"csr": None}, {"service": ["inventory"]}, {"instance": "\ud800"}]


@pytest.mark.parametrize("body", [*BAD_BODIES, *(json.dumps(each).encode() for each in BAD_KINDS)])
def test_words_that_are_none_are_refused(tmp_path, body):
    async def scenario(pilot):
        async with channel(pilot.join, pilot.citadel.authorities()) as opened:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await opened.unary_unary(f"/{MESH}/Join")(body, timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "accepted: " in caught.value.details()

    run(scenario, tmp_path)


def stranger(pilot, now, subject="inventory-1"):
    """Everything is right but who signed it."""
    key = new_key()
    made = Authority.new().certify(key.public_key(), "inventory", subject, Span(now - 60, now + 60))
    return Pair(made, key_in_pem(key))


def test_the_node_port_is_closed_to_who_has_no_certificate_of_ours(tmp_path):
    async def scenario(pilot):
        authorities = pilot.citadel.authorities()
        csr = Renewal(request(new_key()).decode())
        for nobody in (None, stranger(pilot, pilot.wall())):
            with pytest.raises((LinkLost, ValueError)):
                await renew(pilot.nodes, authorities, nobody, csr)
        assert pilot.said == []

    run(scenario, tmp_path)


def test_an_ended_certificate_is_refused(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        pilot.wall.now += 3600  # for us; TLS still believes it
        with pytest.raises(Refused, match=r"permission_denied: the certificate of .* has ended"):
            await renew(pilot.nodes, pilot.citadel.authorities(), pair, Renewal("x"))

    run(scenario, tmp_path)


def test_the_pilots_own_certificate_opens_no_node_port(tmp_path):
    async def scenario(pilot):
        own = pilot.citadel.own(pilot.wall())
        with pytest.raises(Refused, match="permission_denied: service 'pilot'"):
            await renew(pilot.nodes, pilot.citadel.authorities(), own, Renewal("x"))

    run(scenario, tmp_path)


async def shown_by(port, bundle):
    context = ssl.create_default_context(cafile=str(bundle))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="pilot"
    )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(shown)


def test_the_pilot_renews_its_own_certificate_and_keeps_its_port(tmp_path):
    async def whole():
        wall = Clock(time.time() - OWN_LIFE_S / 2 - 60)
        async with running(tmp_path / "pilot", wall, Clock(0.0)) as pilot:
            first = await shown_by(pilot.join_port, pilot.bundle)
            wall.now += OWN_LIFE_S / 2 - 1
            assert await shown_by(pilot.join_port, pilot.bundle) == first
            wall.now += 1
            second = await shown_by(pilot.join_port, pilot.bundle)
            assert second.not_valid_after_utc > first.not_valid_after_utc
            assert second.public_key() != first.public_key()
            pilot.citadel.rotate(wall())
            wall.now += 1
            pilot.enrolment.look()  # nobody is there to wait for
            assert pilot.citadel.status(wall())["stage"] == "signing"
            third = await shown_by(pilot.join_port, pilot.bundle)
            assert third.issuer != second.issuer

    asyncio.run(whole())


def test_a_pilot_that_others_signed_is_not_believed(tmp_path):
    async def scenario(pilot):
        with pytest.raises(LinkLost):
            await join(pilot.join, Authority.new().pair().certificate, application(pilot))

    run(scenario, tmp_path)


def test_who_attends_is_there_while_it_beats(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair))
            told = await attending.hear()
            assert told.lease_s == 2.0
            assert told.authorities.encode() == pilot.citadel.authorities()
            assert not told.renew
            await until(lambda: pilot.names() == ["inventory-1"])
            endpoint = pilot.membership.endpoints()[0]
            assert (endpoint.url, endpoint.version) == (URL, "v1")
            other = await joined(pilot, instance="inventory-2")
            pilot.membership.hear(("inventory", "inventory-2"), URL, "", pilot.clock() + 1.5)
            pilot.clock.now += 2.0
            pilot.enrolment.look()
            assert pilot.names() == ["inventory-2"]
            assert "inventory/inventory-1 is silent" in pilot.said
            await attending.say(beat(pilot, pair))
            await until(lambda: len(pilot.names()) == 2)
            assert other

    run(scenario, tmp_path)


@pytest.mark.parametrize("news", [{"leaving": True}, {"is_well": False}, {"url": ""}])
def test_who_leaves_or_is_not_well_is_no_endpoint_at_once(tmp_path, news):
    async def scenario(pilot):
        pilot.membership.hear(("inventory", "inventory-2"), URL, "", pilot.clock())
        pair = await joined(pilot)
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair))
            await until(lambda: len(pilot.names()) == 2)
            await attending.say(beat(pilot, pair, **news))
            await until(lambda: pilot.names() == ["inventory-2"])

    run(scenario, tmp_path)


def test_the_end_of_a_stream_is_no_farewell(tmp_path):
    async def scenario(pilot):
        pilot.membership.hear(("inventory", "inventory-2"), URL, "", pilot.clock() + 99)
        pair = await joined(pilot)
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            await Attending(opened).say(beat(pilot, pair))
            await until(lambda: len(pilot.names()) == 2)
        await until(lambda: not pilot.enrolment._attendance._seats)
        pilot.enrolment.look()
        assert len(pilot.names()) == 2

    run(scenario, tmp_path)


BAD_BEATS = [
    ({"url": "http://10.0.0.1:80"}, "inside 127.0.0.0/8"),
    ({"url": "nonsense"}, "http://IP:PORT"),
    ({"version": "v 1"}, "version"),
    ({"serial": "no hex"}, "hex digits"),
    ({"authorities": "x" * 65}, "hex digits"),
]


@pytest.mark.parametrize(("told", "why"), BAD_BEATS)
def test_a_heartbeat_that_cannot_be_ends_the_stream_and_says_why(tmp_path, told, why):
    async def scenario(pilot):
        pair = await joined(pilot)
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair, **told))
            with pytest.raises(Refused, match=why):  # and no word that all is well before that
                await attending.hear()
        assert pilot.names() == []

    run(scenario, tmp_path)


def test_of_two_streams_in_one_name_the_later_counts(tmp_path):
    async def scenario(pilot):
        pair = await joined(pilot)
        ways = [channel(pilot.nodes, pilot.citadel.authorities(), pair) for _ in range(2)]
        async with ways[0] as one, ways[1] as two:
            remnant = Attending(one)
            await remnant.say(beat(pilot, pair))
            await remnant.hear()
            attending = Attending(two)
            await attending.say(beat(pilot, pair, url="http://127.0.0.1:9"))
            await attending.hear()
            with pytest.raises(LinkLost, match="another agent attends"):
                await to_the_end(remnant)
            assert pilot.membership.endpoints()[0].url == "http://127.0.0.1:9"

    run(scenario, tmp_path)


def test_the_stream_of_a_certificate_that_ends_is_ended(tmp_path):
    async def scenario(pilot):
        pilot.life_s = 3.0
        pair = await joined(pilot)
        async with channel(pilot.nodes, pilot.citadel.authorities(), pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair))
            await attending.hear()
            pilot.wall.now += 3.0
            pilot.enrolment._attendance.wake()
            await to_the_end(attending)

    run(scenario, tmp_path)


def test_an_authority_is_replaced_and_the_agent_hears_all_it_needs(tmp_path):
    async def scenario(pilot):
        looking = asyncio.create_task(pilot.enrolment.run())
        pair, old = await joined(pilot), pilot.citadel.authorities()
        async with channel(pilot.nodes, old, pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair))
            assert (await attending.hear()).authorities.encode() == old
            await asyncio.to_thread(pilot.citadel.rotate, pilot.wall())  # as an operator would
            both = (await attending.hear()).authorities.encode()
            assert both.startswith(old)
            assert both != old
            await attending.say(beat(pilot, pair, authorities=hashed(both)))
            assert (await attending.hear()).renew
        key = new_key()
        grant = await renew(pilot.nodes, both, pair, Renewal(request(key).decode()))
        pair = Pair(grant.certificate.encode(), key_in_pem(key))
        async with channel(pilot.nodes, both, pair) as opened:
            attending = Attending(opened)
            await attending.say(beat(pilot, pair, authorities=hashed(both)))
            told = await attending.hear()
            assert (told.renew, told.authorities.encode()) == (False, both)
            new = (await attending.hear()).authorities.encode()
            assert both == old + new
            await attending.say(beat(pilot, pair, authorities=hashed(new)))
            await until(lambda: pilot.citadel.status(pilot.wall())["stage"] == "steady")
        looking.cancel()

    run(scenario, tmp_path)


def test_certificates_of_the_retired_authority_open_nothing(tmp_path):
    async def scenario(pilot):
        old, pair = pilot.citadel.authorities(), await joined(pilot)
        pilot.citadel.rotate(pilot.wall())
        pilot.wall.now += 3600  # it never came
        for _ in range(3):
            pilot.enrolment.look()
        assert pilot.citadel.status(pilot.wall())["stage"] == "steady"
        pilot.wall.now -= 3600
        new = pilot.citadel.authorities()
        assert x509.load_pem_x509_certificate(new) != x509.load_pem_x509_certificate(old)
        for believed in (old, new):
            with pytest.raises(LinkLost):
                await renew(pilot.nodes, believed, pair, Renewal("x"))
        with pytest.raises(LinkLost):
            await join(pilot.join, old, application(pilot))
        await join(pilot.join, new, application(pilot))

    run(scenario, tmp_path)
