"""Who is not believed is named: in the log of who refuses, in its counts, in the app's answer."""

import asyncio
import errno
import json
import random
import socket
import ssl
from pathlib import Path

import pytest

from era5_sidecar.certificates import Authority, Pair
from era5_sidecar.config import read
from era5_sidecar.handshakes import WHILE_S, Handshakes
from era5_sidecar.proxy import Proxy
from era5_sidecar.refusals import lasts, refusal_of
from era5_sidecar.starting import open_all
from lab.hostile.proxies.start import free_port

INVENTORY = """
service = "inventory"
instance = "inventory-1"
app = "http://127.0.0.1:9"
admin_listen = "http://127.0.0.1:0"
[inbound]
listen = "http://127.0.0.1:{port}"
may = [{{ callers = ["orders"], method = "*", path = "/" }}]
[tls]
certificate = "inventory.pem"
key = "inventory.key"
authority = "inventory-authority.pem"
"""
ORDERS = """
service = "orders"
instance = "orders-1"
app = "http://127.0.0.1:9"
admin_listen = "http://127.0.0.1:0"
[inbound]
listen = "http://127.0.0.1:0"
is_edge = true
[outbound]
listen = "http://127.0.0.1:0"
[outbound.services.inventory]
endpoints = ["http://127.0.0.1:{port}"]
[outbound.services.inventory.client]
retry = {{ attempts = 1 }}
[tls]
certificate = "orders.pem"
key = "orders.key"
authority = "orders-authority.pem"
"""
ASKED = b"GET http://inventory/x HTTP/1.1\r\nHost: inventory\r\nConnection: close\r\n\r\n"
OLD = (-20.0, -40.0)


def loops() -> list[object]:
    found: list[object] = [pytest.param(asyncio.new_event_loop, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        return found
    return [*found, pytest.param(uvloop.new_event_loop, id="uvloop")]


@pytest.fixture(params=loops())
def runner(request):
    with asyncio.Runner(loop_factory=request.param) as found:
        yield found


@pytest.fixture(scope="module")
def shop() -> Authority:
    return Authority.new()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority.new()


class Both:
    """Two sidecars, and what came of a call from one to the other."""

    def __init__(self, folder: Path, shop: Authority) -> None:
        self.folder = folder
        for name in ("orders", "inventory"):
            self.has(name, shop.issue(name))
            self.believes(name, shop)
        port = free_port()
        for name, told in (("orders", ORDERS), ("inventory", INVENTORY)):
            (folder / f"{name}.toml").write_text(told.format(port=port))

    def has(self, name: str, pair: Pair) -> None:
        pair.write(self.folder, name)

    def believes(self, name: str, authority: Authority) -> None:
        authority.pair().write(self.folder, f"{name}-authority")

    async def call(self) -> tuple[int, str, Proxy, Proxy]:
        """Status, detail, and both proxies."""
        both = []
        for name in ("inventory", "orders"):
            config = read(self.folder / f"{name}.toml")
            proxy = Proxy(config, random.Random(), is_again=True)
            at = open_all(config.listens())
            await proxy.start(at)
            both.append(proxy)
        inventory, orders = both
        where = at["outbound"].getsockname()
        reader, writer = await asyncio.open_connection(*where)
        writer.write(ASKED)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        for upstream in orders.outbound.upstreams():
            upstream.retire()
        for proxy in both:
            await proxy.drain(0.0, 5.0)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["detail"], inventory, orders


@pytest.fixture
def both(tmp_path, shop) -> Both:
    return Both(tmp_path, shop)


def counted(proxy: Proxy, direction: str, reason: str) -> bool:
    line = f'failed_handshakes_total{{direction="{direction}",reason="{reason}"}} 1.0'
    return line in proxy.metrics.exposition().decode()


def test_who_is_believed_is_let_in(both, runner):
    status, _, inventory, _ = runner.run(both.call())
    assert status == 503  # nobody is behind it
    assert b"failed_handshakes_total{" not in inventory.metrics.exposition()


def test_a_caller_whose_certificate_has_expired_hears_it(both, shop, runner, capsys):
    both.has("orders", shop.issue("orders", *OLD))
    status, detail, inventory, orders = runner.run(both.call())
    assert status == 503
    assert ": it refused our certificate: it has expired" in detail
    assert counted(inventory, "inbound", "expired")
    assert counted(orders, "outbound", "refused_ours")
    said = capsys.readouterr().err
    assert "sidecar: would not let in 127.0.0.1: its certificate has expired\n" in said
    assert "it refused our certificate: it has expired\n" in said


def test_a_stranger_hears_it_too(both, stranger, runner, capsys):
    both.has("orders", stranger.issue("orders"))
    status, detail, inventory, _ = runner.run(both.call())
    assert status == 503
    assert "it refused our certificate: it does not know the authority" in detail
    assert counted(inventory, "inbound", "stranger")
    assert "127.0.0.1: its certificate is signed by an authority that we do not know\n" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("pair", "reason", "told"),
    [
        (lambda shop, _: shop.issue("inventory", *OLD), "expired", "its certificate has expired"),
        (lambda shop, _: shop.issue("inventory", 200, 100), "not_yet_valid", "is not good yet"),
        (lambda _, stranger: stranger.issue("inventory"), "stranger", "that we do not know"),
        (lambda shop, _: shop.issue("reports"), "other_name", "its certificate is another's"),
    ],
)
def test_a_callee_that_is_not_believed_is_named_to_the_app(
    both, shop, stranger, runner, capsys, pair, reason, told
):
    both.has("inventory", pair(shop, stranger))
    status, detail, _, orders = runner.run(both.call())
    assert status == 503
    assert told in detail
    assert counted(orders, "outbound", reason)
    assert f"sidecar: cannot ask {detail.partition(': ')[0]}" in capsys.readouterr().err


async def _come_in(both: Both, context: ssl.SSLContext | None, said: bytes) -> Proxy:
    config = read(both.folder / "inventory.toml")
    proxy = Proxy(config, random.Random())
    at = open_all(config.listens())
    await proxy.start(at)
    named = "inventory" if context else None
    where = at["inbound"].getsockname()
    try:
        reader, writer = await asyncio.open_connection(*where, ssl=context, server_hostname=named)
        writer.write(said)
        await asyncio.wait_for(reader.read(), 10)
    except OSError:
        pass
    async with asyncio.timeout(10):
        while not proxy._handshakes.counted:
            await asyncio.sleep(0.01)
    await proxy.drain(0.0, 5.0)
    return proxy


def test_a_caller_without_a_certificate_is_counted_so(both, runner):
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(both.folder / "inventory-authority.pem")
    assert counted(runner.run(_come_in(both, nobody, ASKED)), "inbound", "no_certificate")


def test_one_without_tls_as_well(both, runner):
    assert counted(runner.run(_come_in(both, None, ASKED)), "inbound", "no_tls")


def test_a_kind_is_said_once_in_a_while_and_counted_each_time():
    now = [0.0]
    said: list[str] = []
    handshakes = Handshakes(said.append, lambda: now[0])
    gone = ConnectionResetError(errno.ECONNRESET, "reset")
    for _ in range(1000):
        handshakes.failed("inbound", "192.0.2.1", gone)
    assert len(said) == 1
    handshakes.failed("outbound", "inventory-1", gone)
    assert len(said) == 2, "the other side is another kind"
    now[0] += WHILE_S
    handshakes.failed("inbound", "192.0.2.2", gone)
    assert said[2].endswith("192.0.2.2: it was gone before the handshake was over (999 more since)")
    assert handshakes.counted == {("inbound", "gone"): 1001, ("outbound", "gone"): 1}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1.4, "1 s"), (150, "2.5 minutes"), (9000, "2.5 hours"), (1e6, "11.6 days")],
)
def test_spans_are_for_people(seconds, told):
    assert lasts(seconds) == told


def test_what_it_says_of_itself_is_told_where_nothing_fits():
    assert refusal_of(ssl.SSLError(1, "strange")).reason == "other"
    assert refusal_of(TimeoutError()).reason == "too_slow"


async def _knocked_as_it_leaves(both: Both) -> tuple[bytes, int]:
    """What somebody hears who was accepted at the end; and who is still there when all is over."""
    config = read(both.folder / "orders.toml")
    proxy = Proxy(config, random.Random())
    at = open_all(config.listens())
    await proxy.start(at)
    where = at["inbound"].getsockname()
    with socket.create_connection(where) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
        proxy._accepting["inbound"]._accept()
        await proxy.drain(0.0, 5.0)
        client.setblocking(False)
        return client.recv(100), sum(door.taken() for door in proxy._doors.values())


def test_who_was_accepted_as_the_proxy_leaves_is_answered_first(both, runner):
    heard, left = runner.run(_knocked_as_it_leaves(both))
    assert heard.startswith(b"HTTP/1.1 ")
    assert left == 0
