"""Who connects is counted before it has shown anything; where no file is left, it is said once."""

import asyncio
import errno
import re
import resource
import signal
import socket
import ssl

import pytest

from era5_sidecar import certificates
from era5_sidecar.accepting import REST_S, Accepting
from tests.era5.running import FILE, Running, answer_of, ask, head_of, running, serving, until
from tests.era5.scripted import until as comes_about

PLACES = 5
TURNED_AWAY = re.compile(r"(\d+) connections turned away")
GUARDED = """
[limits]
most_connections = 5
head_s = {head_s}
[log]
every_s = 0.05
[tls]
certificate = "orders.pem"
key = "orders.key"
authority = "authority.pem"
"""
LOOPS = pytest.mark.parametrize("is_plain", [False, True], ids=["uvloop", "asyncio"])


@pytest.fixture(scope="module")
def app():
    with serving() as found:
        yield found


@pytest.fixture
def guarded(app, tmp_path, monkeypatch, request):
    """A proxy whose callers must show certificates; its parameters: plain asyncio, head_s."""
    is_plain, head_s = request.param
    certificates.main(tmp_path, ["orders"])
    told = FILE.replace("is_edge = true", "is_edge = false")
    monkeypatch.setattr("tests.era5.running.FILE", told)
    with running(tmp_path, app.port, GUARDED.format(head_s=head_s), is_plain=is_plain) as proxy:
        yield proxy


def figure(proxy: Running, name: str, direction: str = "inbound") -> float:
    """All of its reasons together."""
    lines = re.findall(rf'^{name}{{direction="{direction}".*}} (.+)$', proxy.stats(), re.MULTILINE)
    return sum(map(float, lines))


def asks_with_certificate(proxy: Running) -> bytes:
    """What somebody hears who can prove who it is."""
    folder = proxy.file.parent
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    context.load_cert_chain(folder / "orders.pem", folder / "orders.key")
    with (
        proxy.connect() as opened,
        context.wrap_socket(opened, server_hostname="orders") as asking,
    ):
        asking.sendall(head_of("/1", "h", "GET", 0, last=True))
        return answer_of(asking)[0]


FOR_LONG = [(False, 10.0), (True, 10.0)]
SHORTLY = [(False, 0.2), (True, 0.2)]
NAMES = ["uvloop", "asyncio"]


@pytest.mark.parametrize("guarded", FOR_LONG, indirect=True, ids=NAMES)
def test_handshakes_under_way_take_places_and_who_finds_none_is_turned_away(guarded):
    half_open = [guarded.connect() for _ in range(PLACES)]
    until(lambda: figure(guarded, "handshakes") == PLACES)
    with guarded.connect() as another:
        assert another.recv(1) == b""  # at once, long before its handshake would be late
    assert figure(guarded, "turned_away_total") == 1
    assert figure(guarded, "connections") == 0
    until(lambda: "1 connections turned away" in guarded.told())
    for each in half_open:
        each.close()
    until(lambda: figure(guarded, "failed_handshakes_total") == PLACES)
    assert asks_with_certificate(guarded).startswith(b"HTTP/1.1 200")
    assert figure(guarded, "handshakes") == 0
    assert "Traceback" not in guarded.told()


@pytest.mark.parametrize("guarded", SHORTLY, indirect=True, ids=NAMES)
def test_a_handshake_that_comes_to_nothing_gives_its_place_back(guarded):
    silent = [guarded.connect() for _ in range(PLACES)]
    until(lambda: figure(guarded, "failed_handshakes_total") == PLACES)
    for each in silent:
        each.close()
    for _ in range(PLACES):
        with guarded.connect() as nonsense:
            nonsense.sendall(b"GET / HTTP/1.1\r\n\r\n")
            nonsense.recv(100)
    until(lambda: figure(guarded, "failed_handshakes_total") == 2 * PLACES)
    assert asks_with_certificate(guarded).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in guarded.told()


@LOOPS
def test_a_crowd_that_comes_at_once_finds_no_files_and_no_traceback_is_left(
    app, tmp_path, is_plain
):
    more = "[log]\nevery_s = 0.05"
    with running(tmp_path, app.port, more, most_files=64, is_plain=is_plain) as proxy:
        proxy.process.send_signal(signal.SIGSTOP)
        crowd = [proxy.connect() for _ in range(150)]
        proxy.process.send_signal(signal.SIGCONT)
        until(lambda: figure(proxy, "turned_away_total") == 150 - 32)
        until(lambda: sum(map(int, TURNED_AWAY.findall(proxy.told()))) == 150 - 32)
        for each in crowd:
            each.close()
        until(lambda: figure(proxy, "connections") == 0)
        told = proxy.told()
    assert "Traceback" not in told
    assert "socket.accept()" not in told


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits others' files")
@LOOPS
def test_where_no_file_is_left_it_says_so_counts_it_and_serves_whoever_waited(
    app, tmp_path, is_plain
):
    with running(tmp_path, app.port, "[log]\nevery_s = 0.05", is_plain=is_plain) as proxy:
        files = resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (1, files[1]))
        with proxy.connect() as waiting, proxy.connect("admin") as asking:
            waiting.sendall(head_of("/1", "h", "GET", 0, last=True))
            until(lambda: "times no file was left for whoever connects" in proxy.told())
            resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, files)
            assert answer_of(waiting)[0].startswith(b"HTTP/1.1 200")
            assert ask(asking, "/ready", last=True)[0].startswith(b"HTTP/1.1 200")
        assert figure(proxy, "starved_total") >= 1
        told = proxy.told()
    assert "Traceback" not in told
    assert "socket.accept()" not in told
    assert len(told.splitlines()) < 20


class Starving:
    """A listening socket; as long as `is_hungry`, no file is left for who connects."""

    def __init__(self) -> None:
        self.real = socket.create_server(("127.0.0.1", 0))
        self.is_hungry = True

    def dup(self) -> "Starving":
        return self

    def accept(self) -> tuple[socket.socket, object]:
        if self.is_hungry:
            raise OSError(errno.EMFILE, "Too many open files")
        return self.real.accept()

    def setblocking(self, blocks: bool) -> None:
        self.real.setblocking(blocks)

    def fileno(self) -> int:
        return self.real.fileno()

    def close(self) -> None:
        self.real.close()


class Guest(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        transport.write(b"welcome")


class Doorstep:
    starved = 0

    def knock(self) -> Guest:
        return Guest()

    def forget(self, knocked: Guest) -> None:
        pass


def test_where_no_file_is_left_it_rests_counts_it_and_serves_whoever_still_waits_afterwards(capfd):
    at, door = Starving(), Doorstep()

    async def story() -> bytes:
        loop = asyncio.get_running_loop()
        accepting = Accepting(at, door)
        began = loop.time()
        reader, writer = await asyncio.open_connection(*at.real.getsockname())
        await comes_about(lambda: door.starved >= 3)
        assert loop.time() - began >= 2 * REST_S  # it does not spin
        at.is_hungry = False
        try:
            return await reader.readexactly(7)
        finally:
            writer.close()
            accepting.close()

    assert asyncio.run(story()) == b"welcome"
    assert capfd.readouterr().err == ""


def test_one_that_rests_can_be_closed():
    at, door = Starving(), Doorstep()

    async def story() -> None:
        accepting = Accepting(at, door)
        _, writer = await asyncio.open_connection(*at.real.getsockname())
        await comes_about(lambda: door.starved == 1)
        accepting.close()
        await asyncio.sleep(2 * REST_S)  # nothing can be observed but that nothing happens
        writer.close()

    asyncio.run(story())
    assert door.starved == 1
