"""Asking the registry, and telling it: with era 3's own, and with ones that misbehave."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jwt
import pytest

from era5_sidecar.asking import NoHttp, ask, ask_status
from era5_sidecar.config import ConfigError, InboundConfig, RegistryConfig
from era5_sidecar.discovery import Discovery, Instance, Known, read_instances
from era5_sidecar.lease import Lease, read_secret, token
from tests.era5.scripted import SILENCE, answer, scripted, until

SECRET = b"canary-5f1d1d3d8a4f4b0f9d4c-" + b"0" * 36
INBOUND = InboundConfig("http://127.0.0.1:0", heartbeat_s=0.05, lease_s=0.3)
ONE = Instance("inventory-1", "http://127.0.0.1:7001")
TWO = Instance("inventory-2", "http://127.0.0.1:7002")


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    """A registry that is not there is waited for so long only."""
    monkeypatch.setattr("era5_sidecar.lease.PATIENCE_S", 0.2)
    monkeypatch.setattr("era5_sidecar.lease.PAUSE_S", 0.02)


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[RegistryConfig]:
    """Era 3's registry, with all its rules."""
    path = tmp_path_factory.mktemp("registry") / "secret"
    path.write_bytes(SECRET)
    argv = [sys.executable, "-m", "era3_inline_microservice", "registry", "--secret", str(path)]
    listen = ["--listen", "http://127.0.0.1:0"]
    process = subprocess.Popen([*argv, *listen], stdout=subprocess.PIPE, text=True)
    with process:
        yield RegistryConfig(process.stdout.readline().split()[-1], str(path))
        process.terminate()


def listing(*instances: Instance) -> bytes:
    listed = [{"name": each.name, "url": each.url} for each in instances]
    return answer(json.dumps({"service": "inventory", "instances": listed}).encode())


def lease(registry: RegistryConfig, said: list[str], inbound: InboundConfig = INBOUND) -> Lease:
    return Lease(registry, "inventory", "inventory-1", inbound, ONE.url, said.append)


async def instances(registry: RegistryConfig) -> tuple[Instance, ...]:
    _, body = await ask(registry.url, "GET", "/services/inventory", 5.0)
    return read_instances(json.loads(body))


async def until_listed(registry: RegistryConfig, *these: Instance) -> None:
    """Raises TimeoutError if it does not come about."""
    async with asyncio.timeout(10):
        while await instances(registry) != these:
            await asyncio.sleep(0.01)


# Asking.


def test_a_list_that_changes_is_told_and_one_that_does_not_is_not(secret):
    async def follow() -> None:
        heard = []
        async with scripted(listing(ONE)) as server:
            told = RegistryConfig(server.url, str(secret))
            tell = lambda service, found: heard.append((service, found))  # noqa: E731
            discovery = Discovery(told, {"inventory": 0.01}, tell, print)
            before = asyncio.all_tasks()
            await discovery.start()
            assert heard == [("inventory", (ONE,))]
            await until(lambda: len(server.asked) > 5)
            assert len(heard) == 1
            server.say = listing(TWO, ONE)
            await until(lambda: len(heard) == 2)
            assert heard[1] == ("inventory", (ONE, TWO))
            await discovery.stop()
            await until(lambda: asyncio.all_tasks() <= before)  # nobody is left who could ask

    asyncio.run(follow())


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (listing(), "no instance in its answer"),
        (answer(b"{}"), "no instance in its answer"),
        (answer(b"[]"), "no instance in its answer"),
        (answer(b"nonsense"), "JSONDecodeError"),
        (answer(b"[" * 100_000), "status 200"),
        (answer(b'"\xff"'), "UnicodeDecodeError"),
        (answer(b"", 500), "status 500"),
        (answer(b"", 404), "status 404"),
        (b"", "NoHttp 0 bytes and no head"),
        (b"SSH-2.0-x\r\n\r\n", "NoHttp no status line"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n{}", "NoHttp 2 bytes of 10"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 9999999999\r\n\r\n{}", "NoHttp a length that is none"),
        (b"HTTP/1.1 200 X\r\nContent-Length: -1\r\n\r\n{}", "NoHttp a length that is none"),
        (b"HTTP/1.1 200 X\r\n\r\n" + b"x" * 1_100_000, "NoHttp a body of more than 1048576 bytes"),
        (b"HTTP/1.1 200 X\r\nA: " + b"x" * 40_000, "NoHttp a head of more than 16384 bytes"),
        (SILENCE, "TimeoutError"),
    ],
)
def test_whatever_a_registry_answers_the_last_good_list_stays_and_the_trouble_is_told_once(
    secret, trouble, told
):
    async def follow() -> None:
        heard, said = [], []
        async with scripted(listing(ONE)) as server:
            registry = RegistryConfig(server.url, str(secret))
            tell = lambda service, found: heard.append(found)  # noqa: E731
            discovery = Discovery(registry, {"inventory": 0.01}, tell, said.append)
            await discovery.start()
            server.say = trouble
            await until(lambda: bool(said))
            asked = len(server.asked)
            await until(lambda: len(server.asked) > asked + 1)
            assert heard == [(ONE,)]
            assert len(said) == 1
            assert told in said[0]
            assert said[0].endswith("known: <Known inventory-1>")
            server.say = listing(TWO)
            await until(lambda: len(heard) == 2)
            assert "answers again" in said[1]
            await discovery.stop()

    asyncio.run(follow())


def test_a_dead_registry_is_found_again_when_it_is_back(secret):
    async def follow() -> None:
        heard, said = [], []
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        registry = RegistryConfig(f"http://127.0.0.1:{port}", str(secret))
        tell = lambda service, found: heard.append(found)  # noqa: E731
        discovery = Discovery(registry, {"inventory": 0.01}, tell, said.append)
        await discovery.start()
        assert "ConnectionRefusedError" in said[0]
        assert not heard
        async with scripted(listing(ONE)) as server:
            back = await asyncio.start_server(server.meet, "127.0.0.1", port)
            await until(lambda: heard == [(ONE,)])
            back.close()
        await discovery.stop()

    asyncio.run(follow())


def test_what_makes_no_sense_in_a_list_is_left_out():
    listed = [
        {"name": "b", "url": "http://127.0.0.1:2"},
        {"name": "a", "url": "http://127.0.0.1:1"},
        {"name": "c", "url": "http://a-name:1"},
        {"name": "d", "url": "https://127.0.0.1:1"},
        {"name": "e", "url": "http://127.0.0.1:0"},
        {"name": "f\r\n", "url": "http://127.0.0.1:1"},
        {"name": 7, "url": "http://127.0.0.1:1"},
        {"name": "g", "url": None},
        {"name": "h"},
        None,
        "i",
    ]
    assert [each.name for each in read_instances({"instances": listed})] == ["a", "b"]


def test_a_list_without_end_is_cut():
    listed = [{"name": f"i-{number}", "url": "http://127.0.0.1:1"} for number in range(1000)]
    assert len(read_instances({"instances": listed})) == 100


def test_known_keeps_what_it_knows_when_it_hears_of_nobody():
    known = Known()
    assert known.hear({"instances": [{"name": ONE.name, "url": ONE.url}]})
    assert not known.hear({"instances": []})
    known.hear_nothing("refused")
    assert known.instances == (ONE,)


# Telling.


def test_a_lease_is_taken_kept_and_given_back(registry):
    async def live() -> None:
        said = []
        held = lease(registry, said)
        await held.take()
        assert held.is_held
        later = Lease(registry, "inventory", "inventory-2", INBOUND, TWO.url, said.append)
        await later.take()
        await later.stop()
        assert await instances(registry) == (ONE, TWO)
        await until_listed(registry, ONE)  # a later lease has run out, so ours was renewed
        await held.give_back()
        assert not held.is_held
        assert await instances(registry) == ()
        await held.take()
        assert await instances(registry) == (ONE,)
        await held.give_back()
        assert not said

    asyncio.run(live())


def test_who_hands_over_to_a_successor_leaves_the_lease_to_it(registry):
    async def live() -> None:
        old, new = lease(registry, []), lease(registry, [])
        await old.take()
        await new.take()
        await old.stop()
        await old.give_back()  # has nothing left to give
        assert await instances(registry) == (ONE,)
        await new.give_back()

    asyncio.run(live())


def test_a_lease_that_is_renewed_no_more_runs_out(registry):
    async def live() -> None:
        held = lease(registry, [])
        await held.take()
        await held.stop()
        assert await instances(registry) == (ONE,)
        await until_listed(registry)

    asyncio.run(live())


def test_where_others_are_told_to_come_is_what_it_advertises(registry):
    async def live() -> None:
        elsewhere = InboundConfig("http://127.0.0.1:0", advertise="http://127.0.0.1:9999")
        held = lease(registry, [], elsewhere)
        await held.take()
        assert (await instances(registry))[0].url == "http://127.0.0.1:9999"
        await held.give_back()

    asyncio.run(live())


def test_a_registry_that_refuses_is_an_error_with_its_reason(registry, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"canary" * 10)

    async def live() -> None:
        held = lease(RegistryConfig(registry.url, str(other)), [])
        with pytest.raises(ValueError, match="the registry refused: token refused: ") as refused:
            await held.take()
        assert "canary" not in str(refused.value)
        assert not held.is_held

    asyncio.run(live())


def test_a_registry_that_comes_late_is_told_then(secret):
    async def live() -> None:
        said = []
        async with scripted(answer(b"", 503)) as server:
            held = lease(RegistryConfig(server.url, str(secret)), said)
            await held.take()
            assert said == ["registry: status 503 for 0.2 s; it is told again and again"]
            assert not held.is_held
            server.say = answer(b"{}")
            await until(lambda: held.is_held)
            assert said[1:] == ["registry: renewed again"]
            server.say = answer(b'{"detail": "a\\r\\nb"}', 403)
            await until(lambda: len(said) == 3)
            assert said[2] == "registry: the registry refused: a\\r\\nb"
            server.say = SILENCE
            async with asyncio.timeout(30):  # it gives up by itself, and soon
                await held.give_back()

    asyncio.run(live())


def test_no_line_and_no_repr_holds_the_secret_or_a_token(secret):
    async def live() -> str:
        said = []
        async with scripted(answer(b"", 500)) as server:
            registry = RegistryConfig(server.url, str(secret))
            held = lease(registry, said)
            await held.take()
            told = repr((held, registry, vars(held)["_heart"])) + "".join(said)
            await held.stop()
            assert b"Bearer " in server.asked[0]
            return told

    told = asyncio.run(live())
    assert "canary" not in told
    assert "eyJ" not in told


# Tokens.


def test_a_token_is_what_pyjwt_believes_and_only_for_a_minute():
    now = time.time()
    claims = jwt.decode(token(SECRET, "inventory", now), SECRET, ["HS256"], audience="registry")
    assert claims["sub"] == "inventory"
    assert claims["exp"] - claims["iat"] == 60
    with pytest.raises(jwt.ExpiredSignatureError):
        old = token(SECRET, "inventory", now - 120)
        jwt.decode(old, SECRET, ["HS256"], audience="registry")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token(b"x" * 32, "a", now), SECRET, ["HS256"], audience="registry")


@pytest.mark.parametrize("content", [None, b"", b"canary", b"  \n" * 100])
def test_a_secret_that_is_none_is_refused_and_not_shown(tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="accepted is one of at least 32 bytes") as refused:
        read_secret(str(path))
    assert refused.value.key == "registry.secret"
    assert "canary" not in str(refused.value)


# One question.


def test_a_question_goes_to_a_unix_socket_as_well(tmp_path):
    async def live() -> None:
        async with scripted(answer(b"hello", 201), tmp_path / "app.sock") as server:
            assert await ask(server.url, "PUT", "/x", 5.0, {"A": "b"}, b"body") == (201, b"hello")
            head, _, body = server.asked[0].partition(b"\r\n\r\n")
            assert head.startswith(b"PUT /x HTTP/1.0\r\nHost: localhost\r\n")
            assert b"\r\nA: b" in head
            assert body == b"body"

    asyncio.run(live())


def test_a_body_without_a_length_ends_with_the_connection():
    async def live() -> None:
        async with scripted(b"HTTP/1.0 200 OK\r\n\r\nabc") as server:
            assert await ask(server.url, "GET", "/", 5.0) == (200, b"abc")

    asyncio.run(live())


def test_a_status_is_told_before_the_body_has_come():
    async def live() -> None:
        async with scripted(b"HTTP/1.0 404 No\r\nContent-Length: 999999999\r\n\r\nabc") as server:
            with pytest.raises(NoHttp):
                await ask(server.url, "GET", "/", 5.0)
        async with scripted(b"HTTP/1.0 404 No\r\nContent-Length: 900000\r\n\r\nabc") as server:
            assert await ask_status(server.url, "/", 5.0) == 404

    asyncio.run(live())
