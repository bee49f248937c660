"""The stream relay: toxiproxy's faults on real connections, and packet faults as TCP shows them."""

import contextlib
import random
import socket
import threading
import time

import pytest

from lab.relay.stream import Path, PathDead, Stream
from lab.relay.toxics import Toxics
from lab.wire import KnobError, Knobs
from lab.wire.process import WireProcess

PERFECT = Knobs()
TIMEOUT_S = 10


@contextlib.contextmanager
def connected(knobs=PERFECT, back=None, seed=1, **toxics):
    """A connection through the relay: (wire, orders' socket, inventory's socket)."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        WireProcess.streams(knobs, back=back, seed=seed, inventory=url(server)) as wire,
    ):
        wire.toxics("there", **toxics)
        server.settimeout(TIMEOUT_S)
        with connect(wire) as orders, server.accept()[0] as inventory:
            inventory.settimeout(TIMEOUT_S)
            yield wire, orders, inventory


def url(server):
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def connect(wire):
    host, _, port = wire.address_for_orders.removeprefix("tcp://").partition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


def receive(connection, size):
    got = b""
    while len(got) < size and (more := connection.recv(size - len(got))):
        got += more
    return got


def took(act):
    started = time.monotonic()
    result = act()
    return time.monotonic() - started, result


def test_a_perfect_relay_carries_both_directions_and_half_closes():
    blob = random.Random(1).randbytes(3_000_000)
    with connected() as (_, orders, inventory):
        sender = threading.Thread(target=lambda: (orders.sendall(blob), orders.shutdown(1)))
        sender.start()
        assert receive(inventory, len(blob) + 1) == blob
        sender.join()
        inventory.sendall(b"thanks")
        inventory.close()
        assert receive(orders, 100) == b"thanks"


def test_latency_and_jitter_delay_but_keep_order():
    with connected(Knobs(delay_s=0.05, jitter_s=0.02)) as (_, orders, inventory):
        orders.sendall(b"hello")
        after, hello = took(lambda: receive(inventory, 5))
        assert hello == b"hello"
        assert 0.028 < after < 2.0


def test_an_answer_in_two_pieces_waits_for_no_acknowledgement():
    """Nagle's rule would hold the second piece until the first one's delayed ACK: 40 ms."""

    def exchange():
        orders.sendall(b"question")
        receive(inventory, 8)
        inventory.sendall(b"head")
        time.sleep(0.001)  # so that they are two pieces on the way, too
        inventory.sendall(b"body")
        assert receive(orders, 8) == b"headbody"

    with connected() as (_, orders, inventory):
        inventory.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waits = [took(exchange)[0] for _ in range(60)]
        # at first the kernel acknowledges at once; a busy machine makes some slow, the rule all
        assert min(waits[30:]) < 0.03


def test_bandwidth_limits_the_rate():
    with connected(Knobs(rate_bps=1_000_000)) as (_, orders, inventory):
        after, _ = took(lambda: (orders.sendall(bytes(50_000)), receive(inventory, 50_000)))
        assert after == pytest.approx(0.4, abs=0.1)


def test_loss_costs_a_retransmission_timeout_and_no_byte():
    with connected(Knobs(script=("drop", "drop"))) as (wire, orders, inventory):
        orders.sendall(b"hello")
        after, hello = took(lambda: receive(inventory, 5))
        assert hello == b"hello"
        assert after > 0.55, "two losses: 0.2 s and then twice that"
        assert wire.stats()["there"]["lost"] == 2


def test_a_partition_holds_data_until_it_heals():
    with connected() as (wire, orders, inventory):
        wire.partition()
        orders.sendall(b"hello")
        inventory.settimeout(0.2)
        with pytest.raises(TimeoutError):
            inventory.recv(5)
        wire.heal()
        inventory.settimeout(TIMEOUT_S)
        assert receive(inventory, 5) == b"hello"


def test_timeout_is_a_black_hole_that_closes_at_last():
    with connected(timeout_s=0.2) as (_, orders, inventory):
        orders.sendall(b"into the void")
        after, nothing = took(lambda: inventory.recv(100))
        assert nothing == b""
        assert after < 2


def test_a_black_hole_of_zero_never_closes_until_it_is_cured():
    with connected(timeout_s=0) as (wire, orders, inventory):
        orders.sendall(b"into the void")
        inventory.settimeout(0.2)
        with pytest.raises(TimeoutError):
            inventory.recv(100)
        wire.toxics()
        orders.sendall(b"out of it")
        inventory.settimeout(TIMEOUT_S)
        assert receive(inventory, 9) == b"out of it"


def test_reset_peer_resets_both_sides():
    with connected(reset_peer_s=0.05) as (_, orders, inventory):
        for side in (orders, inventory):
            with pytest.raises(ConnectionResetError):
                side.recv(100)


def test_a_toxic_reaches_connections_that_are_open_already():
    with connected() as (wire, orders, inventory):
        orders.sendall(b"hello")
        assert receive(inventory, 5) == b"hello"
        wire.toxics("back", reset_peer_s=0)
        with pytest.raises(ConnectionResetError):
            orders.recv(100)


def test_slow_close_delays_the_end_only():
    with connected(slow_close_s=0.3) as (_, orders, inventory):
        orders.sendall(b"bye")
        orders.shutdown(socket.SHUT_WR)
        assert receive(inventory, 3) == b"bye"
        after, end = took(lambda: inventory.recv(1))
        assert end == b""
        assert after > 0.2


def test_the_slicer_cuts_data_into_pieces():
    with connected(slice_bytes=100, slice_gap_s=0.05) as (_, orders, inventory):
        orders.sendall(bytes(range(250)) * 4)
        pieces = [inventory.recv(1000)]
        while sum(map(len, pieces)) < 1000:
            pieces.append(inventory.recv(1000))
        assert b"".join(pieces) == bytes(range(250)) * 4
        assert len(pieces) >= 3, "whoever reads late finds several at once, but hardly all"


def test_limit_data_closes_after_so_many_bytes():
    with connected(limit_data_bytes=10) as (_, orders, inventory):
        orders.sendall(b"0123456789abcdef")
        assert receive(inventory, 100) == b"0123456789"
        assert orders.recv(1) == b""


def test_a_reset_passes_through():
    with connected() as (_, orders, inventory):
        inventory.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        inventory.close()
        with pytest.raises(ConnectionResetError):
            orders.recv(1)


def test_a_refused_connection_is_reset():
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = url(server)
    with (
        WireProcess.streams(PERFECT, seed=1, inventory=nobody) as wire,
        pytest.raises(ConnectionResetError),  # by connect itself, if the relay is quick
        connect(wire) as orders,
    ):
        orders.recv(1)


def test_flow_control_reaches_back_to_the_sender():
    with connected(Knobs(queue_bytes=100_000)) as (_, orders, _inventory):
        orders.settimeout(0.3)
        with pytest.raises(TimeoutError):
            orders.sendall(bytes(100 << 20))


def test_a_refused_toxic_names_itself_and_what_is_accepted():
    with connected() as (wire, orders, inventory):
        with pytest.raises(KnobError, match="limit_data_bytes is -1; accepted: whole bytes"):
            wire.toxics(limit_data_bytes=-1)
        orders.sendall(b"still works")
        assert receive(inventory, 11) == b"still works"


def test_one_seed_is_one_history_of_a_stream():
    def history(seed):
        path = Path(seed, "there", 0, Knobs(loss=0.2, jitter_s=0.01, delay_s=0.05))
        stream = Stream(path, random.Random(seed))
        sliced = Toxics(slice_bytes=50, slice_variation_bytes=20, slice_gap_s=0.001)
        return [piece for n in range(20) for piece in stream.push(n * 0.1, bytes(3000), sliced)]

    assert history(5) == history(5)
    assert history(5) != history(6)
    times = [at for at, _, _ in history(5)]
    assert times == sorted(times)


def test_a_path_that_loses_everything_is_dead():
    stream = Stream(Path(1, "there", 0, Knobs(loss=1.0)), random.Random(1))
    with pytest.raises(PathDead):
        list(stream.push(0.0, b"x", Toxics()))


@pytest.mark.parametrize(
    ("toxic", "value"),
    [("timeout_s", -1), ("reset_peer_s", "soon"), ("slice_bytes", 1.5), ("limit_data_bytes", -1)],
)
def test_toxics_are_validated(toxic, value):
    with pytest.raises(KnobError, match=f"{toxic} is {value!r}; accepted: "):
        Toxics(**{toxic: value})


@contextlib.contextmanager
def two_paths(knobs=PERFECT):
    """A relay with a path to each of two servers: (wire, name -> server, name -> address)."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        WireProcess.streams(knobs, seed=1) as wire,
    ):
        servers = {"one": one, "two": two}
        addresses = {name: wire.open_path(name) for name in servers}
        for name, server in servers.items():
            server.settimeout(TIMEOUT_S)
            wire.path(name).forward_to(url(server))
        yield wire, servers, addresses


def dial(address):
    host, _, port = address.removeprefix("tcp://").partition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


def say_hello(servers, addresses, name):
    """Seconds until the server of that name has heard it."""
    with dial(addresses[name]) as orders, servers[name].accept()[0] as inventory:
        inventory.settimeout(TIMEOUT_S)
        orders.sendall(b"hello")
        after, hello = took(lambda: receive(inventory, 5))
        assert hello == b"hello"
        return after


def test_each_path_has_its_own_knobs_and_counts_and_all_are_turned_together():
    with two_paths() as (wire, servers, addresses):
        wire.path("two").set("there", delay_s=0.5)
        assert say_hello(servers, addresses, "one") < 0.5
        assert say_hello(servers, addresses, "two") >= 0.5
        wire.set(loss=0.5)
        wire.set(loss=0)
        assert say_hello(servers, addresses, "two") >= 0.5, "what is not named stays"
        counts = [wire.path(name).stats()["there"]["bytes"] for name in servers]
        assert counts == [5, 10]
        assert wire.stats()["there"]["bytes"] == 15


def test_a_script_for_all_is_followed_by_whichever_frame_is_next():
    with two_paths() as (wire, servers, addresses):
        wire.script("there", ["drop", "deliver"])
        assert lost_on_hello(wire, servers, addresses, "two") == 1
        assert lost_on_hello(wire, servers, addresses, "one") == 0
        wire.path("one").script("there", ["drop"])
        assert lost_on_hello(wire, servers, addresses, "two") == 0
        assert lost_on_hello(wire, servers, addresses, "one") == 1


def lost_on_hello(wire, servers, addresses, name: str) -> int:
    """How many frames of it were lost, and sent again, on the path to the server of that name."""
    path = wire.path(name)
    before = path.stats()["there"]["lost"]
    after_s = say_hello(servers, addresses, name)
    lost = path.stats()["there"]["lost"] - before
    assert not lost or after_s > 0.15, "a retransmission takes its time"
    return lost


def test_a_path_opened_later_is_as_bad_as_the_others():
    with two_paths() as (wire, servers, _):
        wire.set("there", delay_s=0.2)
        wire.toxics("there", limit_data_bytes=3)
        address = wire.open_path("three")
        wire.path("three").forward_to(url(servers["one"]))
        with dial(address) as orders, servers["one"].accept()[0] as inventory:
            inventory.settimeout(TIMEOUT_S)
            orders.sendall(b"hello")
            after, heard = took(lambda: receive(inventory, 5))
        assert heard == b"hel"
        assert after > 0.15


def test_a_connection_waits_until_it_is_known_where_to():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        WireProcess.streams(PERFECT, seed=1) as w,
    ):
        server.settimeout(TIMEOUT_S)
        with dial(w.open_path("one")) as orders:
            orders.sendall(b"hello")
            w.path("one").forward_to(url(server))
            with server.accept()[0] as inventory:
                assert receive(inventory, 5) == b"hello"


def test_a_closed_path_refuses_and_reopens_where_it_was():
    with two_paths() as (wire, servers, addresses):
        wire.path("one").close_path()
        assert is_refused(wire, addresses["one"])
        say_hello(servers, addresses, "two")
        wire.path("one").reopen_path()
        say_hello(servers, addresses, "one")


def test_a_path_opened_anew_has_another_address_and_leaves_the_old_one():
    with two_paths() as (wire, servers, addresses):
        moved = wire.open_path("one")
        assert moved != addresses["one"]
        assert is_refused(wire, addresses["one"])
        wire.path("one").forward_to(url(servers["one"]))
        say_hello(servers, {"one": moved}, "one")


def is_refused(wire, address):
    wire.stats()  # its answer comes after what it was told before
    with pytest.raises(ConnectionRefusedError):
        dial(address).close()
    return True


def test_a_path_that_is_none_is_refused_by_every_verb():
    with two_paths() as (wire, servers, addresses):
        nobody = wire.path("three")
        for verb in (nobody.stats, nobody.partition, nobody.toxics, nobody.close_path):
            with pytest.raises(KnobError, match="path is 'three'; accepted: one, two"):
                verb()
        say_hello(servers, addresses, "one")
