"""The proxy as a process: out of files, large bodies, many slow callers, reloads under load."""

import contextlib
import socket
import threading

import pytest

from era5_sidecar import certificates
from tests.era5.running import (
    FILE,
    PIECE,
    Running,
    answer_of,
    ask,
    head_of,
    running,
    serving,
    until,
)

LARGE = 100_000_000
MOST_GROWTH_BYTES = 8 << 20
MANY = 500
TLS = """
[tls]
certificate = "orders.pem"
key = "orders.key"
authority = "authority.pem"
"""


@pytest.fixture(scope="module")
def app():
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def proxy(app, tmp_path_factory):
    with running(tmp_path_factory.mktemp("proxy"), app.port) as found:
        yield found


# Out of files.


def is_answered(asking: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        return ask(asking)[0].startswith(b"HTTP/1.1 200")
    return False


def test_out_of_files_it_lives_says_so_counts_it_and_blames_nobody(app, tmp_path):
    with running(tmp_path, app.port, more="[log]\nevery_s = 0.05", most_files=64) as proxy:
        ours = proxy.connect("outbound")
        assert ask(ours, "/1", "inventory")[1] == b"\0"
        others = [proxy.connect() for _ in range(80)]
        answered = sum(map(is_answered, others))
        assert 20 < answered < 64
        assert ask(ours, "/1", "inventory")[1] == b"\0"  # who is inside is served
        until(lambda: "connections turned away: as many as may be are open" in proxy.told())
        for each in (ours, *others):
            each.close()
        until(lambda: proxy.files() < 30)
        with proxy.connect() as again:
            assert is_answered(again)
        stats = proxy.stats()
    turned_away = float(stats.partition('turned_away_total{direction="inbound"} ')[2].split()[0])
    assert 0 < turned_away <= 80 - answered
    assert 'verdict="failure"' not in stats
    assert (
        f'breaker_state{{callee="inventory",instance="http://127.0.0.1:{app.port}"}} 0.0' in stats
    )


# Bodies.


@contextlib.contextmanager
def little_growth(proxy: Running):
    """Memory is looked at all the time; what it is without a large body stands before it."""
    with proxy.connect() as asking:
        for _ in range(3):
            ask(asking, "/1000000", body=PIECE)
    before, over = proxy.resident_bytes(), threading.Event()
    most = [before]

    def look() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], proxy.resident_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
    assert most[0] - before < MOST_GROWTH_BYTES


def test_a_large_answer_goes_through_without_being_held(proxy):
    with little_growth(proxy), proxy.connect() as asking:
        asking.sendall(head_of(f"/{LARGE}", "h", "GET", 0, last=True))
        heard = 0
        while more := asking.recv(1 << 18):
            heard += len(more)
    assert LARGE < heard < LARGE + 1000


def test_so_does_a_large_request(proxy):
    with little_growth(proxy), proxy.connect() as asking:
        asking.sendall(head_of("/", "h", "PUT", LARGE, last=False))
        left = LARGE
        while left:
            left -= asking.send(PIECE[:left])
        assert b"X-Heard: %d\r\n" % LARGE in answer_of(asking)[0] + b"\r\n"


def test_nor_if_its_reader_takes_a_rest(proxy):
    with little_growth(proxy), proxy.connect() as asking:
        asking.sendall(head_of(f"/{LARGE}", "h", "GET", 0, last=True))
        asking.recv(1000)
        for _ in range(30):  # so often it could have read on
            assert proxy.stats()


def test_a_refusal_is_read_by_who_still_sends(proxy):
    for _ in range(20):
        with proxy.connect("outbound") as asking:
            asking.sendall(head_of("/", "nobody", "PUT", LARGE, last=False))
            for _ in range(2):
                asking.sendall(PIECE)
            assert b"503 Service Unavailable" in answer_of(asking)[0]


# Many.


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HT", head_of("/", "h", "PUT", 9000, last=False) + b"x"],
    ids=["idle", "in a head", "in a body"],
)
def test_many_slow_connections_do_not_keep_a_healthy_one_from_being_answered(proxy, said):
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            slow = stack.enter_context(proxy.connect())
            slow.sendall(said)
        healthy = stack.enter_context(proxy.connect())
        for _ in range(20):
            assert is_answered(healthy)
        assert f'connections{{direction="inbound"}} {MANY + 1}.0' in proxy.stats()


def test_nonsense_from_both_sides_leaves_no_traceback(proxy):
    for said in (b"\0" * 300_000, b"GET " + b"a" * 300_000, b"GET / HTTP/1.1\r\n" + b"a" * 90_000):
        with contextlib.suppress(OSError), proxy.connect() as asking:
            asking.sendall(said)
            while asking.recv(1 << 16):
                pass
    with proxy.connect() as asking:
        assert is_answered(asking)
    assert "Traceback" not in proxy.told()


# Reloads.


@contextlib.contextmanager
def load(proxy: Running, name: str, host: str):
    """Five who ask all the time, each on one connection; none may fail. Gives what they got."""
    over, failed, served = threading.Event(), [], []

    def run() -> None:
        with proxy.connect(name) as asking:
            while not over.is_set():
                head, body = ask(asking, "/5", host)
                (served if b" 200 " in head and body == b"\0" * 5 else failed).append(head)
        ended.append(True)

    ended: list[bool] = []
    crowd = [threading.Thread(target=run) for _ in range(5)]
    for each in crowd:
        each.start()
    try:
        yield served
    finally:
        over.set()
        for each in crowd:
            each.join()
    assert failed == []
    assert len(ended) == 5  # nobody was cut off


def asked_meanwhile(proxy: Running, told: str, served: list[bytes]) -> None:
    """Change the file between many requests."""
    so_far = len(served)
    until(lambda: len(served) > so_far + 10)
    proxy.configure(told)


def test_reloads_under_load_fail_no_request_whatever_the_file_says(app, tmp_path):
    certificates.main(tmp_path, ["orders"])
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nno\n")
    with running(tmp_path, app.port, more=TLS) as proxy, load(proxy, "inbound", "h") as served:
        good = FILE.format(app=app.port, more=TLS, **proxy.ports)
        told = {
            good.replace("drain_s = 1", "drain_s = -1"): "line 10: inbound.drain_s is -1",
            good.replace("drain_s = 1", "drain_s = ="): "line 10",
            good.replace("orders.pem", "torn.pem"): "tls.certificate",
            good.replace("drain_s = 1", "drain_s = 2"): "sidecar.toml is in force",
        }
        for text, expected in [*told.items()] * 3:
            asked_meanwhile(proxy, text, served)
            assert expected in proxy.told().splitlines()[-1]
        assert proxy.told().count("what was said before stays in force") == 9


def test_nor_do_those_that_change_how_others_are_called(app, tmp_path):
    with running(tmp_path, app.port) as proxy, load(proxy, "outbound", "inventory") as served:
        good = FILE.format(app=app.port, more="", **proxy.ports)
        for number in range(8):
            changed = good.replace("attempts = 1", f"attempts = {1 + number % 2}")
            asked_meanwhile(proxy, changed, served)
        assert proxy.told().count("sidecar.toml is in force") == 8
