"""Calls on TCP: what the kernel does not do, and which of two failures it was."""

import json
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from era0_naive import shop
from era2_tcp import transport
from era2_tcp.framing import Decoder, frame
from era2_tcp.transport import Caller, NoAnswer, Unreachable
from tests.shop import roles
from tests.shop.roles import FEWEST_FILES, ask, both, order, wait_until_open

ANSWER = frame(b'{"outcome": "reserved"}')


@contextmanager
def peer(*conversations):
    """Inventory in the hands of the test: each connection is one function, in this order."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def converse() -> None:
            for conversation in conversations:
                connection, _ = listener.accept()
                with connection:
                    conversation(connection)

        thread = Thread(target=converse, daemon=True)
        thread.start()
        caller = Caller(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        yield caller
        caller.close()
        thread.join(10)
        assert not thread.is_alive(), "the conversation took another course"


def hear(connection: socket.socket) -> bytes:
    """One whole request."""
    decoder, requests = Decoder(), []
    while not requests and (piece := connection.recv(65_536)):
        requests = decoder.feed(piece)
    return requests[0] if requests else b""


def answers(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(ANSWER)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "SILENCE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.3)


def test_an_answer_may_arrive_a_byte_at_a_time():
    def trickles(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hear(connection)
        for byte in ANSWER:
            connection.sendall(bytes([byte]))

    with peer(trickles) as caller:
        assert caller.call({"op": "reserve"}) == {"outcome": "reserved"}


def test_one_connection_serves_many_calls():
    def twice(connection: socket.socket) -> None:
        answers(connection)
        answers(connection)

    with peer(twice) as caller:
        assert caller.call({}) == caller.call({}) == {"outcome": "reserved"}


def test_a_refused_connection_is_certainly_not_executed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=f"tcp://127.0.0.1:{port}: Connection refused"):
        Caller(f"tcp://127.0.0.1:{port}").call({})


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue ignores SYNs on Linux")
def test_a_black_hole_is_given_up_in_bounded_time(impatient):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:  # nobody accepts: the queue is full and further SYNs are ignored
            waiting.setblocking(False)
            waiting.connect_ex(address)
        with pytest.raises(Unreachable, match=r"no connection in 0\.3 s"):
            Caller(f"tcp://127.0.0.1:{address[1]}").call({})
        for waiting in queue:
            waiting.close()


def test_silence_after_the_request_leaves_the_fate_unknown(impatient):
    done = Event()

    def silent(connection: socket.socket) -> None:
        hear(connection)
        done.wait(10)

    with peer(silent) as caller:
        with pytest.raises(NoAnswer, match=r"silent for 0\.3 s"):
            caller.call({})
        done.set()


def test_a_late_answer_is_not_taken_for_the_next_ones(impatient):
    gave_up = Event()

    def late(connection: socket.socket) -> None:
        hear(connection)
        gave_up.wait(10)
        connection.sendall(frame(b'{"outcome": "late"}'))

    with peer(late, answers) as caller:
        with pytest.raises(NoAnswer):
            caller.call({})
        gave_up.set()
        assert caller.call({}) == {"outcome": "reserved"}


def close_in_mid_answer(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(ANSWER[:-1])


def reset_in_mid_answer(connection: socket.socket) -> None:
    close_in_mid_answer(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk_nonsense(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(frame(b"hello"))


def nest_without_end(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(frame(b"[" * 100_000))


def answer_twice(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(ANSWER + ANSWER)


def talk_without_frames(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


BROKEN_OFF = [
    close_in_mid_answer,
    reset_in_mid_answer,
    talk_nonsense,
    nest_without_end,
    answer_twice,
    talk_without_frames,
]


@pytest.mark.parametrize("breaks_off", BROKEN_OFF, ids=lambda each: each.__name__)
def test_without_a_whole_answer_the_fate_is_unknown_and_the_next_call_is_served(breaks_off):
    with peer(breaks_off, answers) as caller:
        with pytest.raises(NoAnswer, match=r"tcp://127\.0\.0\.1"):
            caller.call({})
        assert caller.call({}) == {"outcome": "reserved"}


def test_a_connection_that_the_peer_closed_meanwhile_is_not_used_again():
    closed = Event()

    def answers_and_leaves(connection: socket.socket) -> None:
        answers(connection)
        connection.close()
        closed.set()

    with peer(answers_and_leaves, answers) as caller:
        caller.call({})
        closed.wait(10)
        assert caller.call({}) == {"outcome": "reserved"}


def test_a_request_that_did_not_leave_whole_is_certainly_not_executed(impatient, monkeypatch):
    done = Event()

    def reads_nothing(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # or it may grow
        done.wait(10)

    with peer(reads_nothing) as caller:
        connect = caller._connect

        def connect_with_a_small_buffer() -> socket.socket:
            connection = connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            return connection

        monkeypatch.setattr(caller, "_connect", connect_with_a_small_buffer)
        with pytest.raises(Unreachable):  # more than both sockets' buffers hold
            caller.call({"padding": "x" * 4_000_000})
        done.set()


def test_half_a_request_is_not_executed(tmp_path: Path):
    request = {"op": "reserve", "order_id": "o-1", "sku": "sku-0001", "quantity": 1}
    whole = frame(json.dumps(request).encode())
    with roles.inventory("era2_tcp", tmp_path) as (_, address):
        for end in range(len(whole)):
            with socket.create_connection(("127.0.0.1", port_of(address))) as stranger:
                stranger.sendall(whole[:end])
        caller = Caller(address)
        assert caller.call({"op": "release", "order_id": "o-2"}) == {"outcome": "released"}
        caller.close()
    assert shop.Stock(tmp_path / "stock.db").reservations() == []


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, frame(b"{")])
def test_frames_that_are_none_are_answered_with_what_is_accepted(tmp_path: Path, nonsense):
    with roles.inventory("era2_tcp", tmp_path) as (_, address):
        with socket.create_connection(("127.0.0.1", port_of(address)), 10) as stranger:
            stranger.sendall(nonsense)
            told = json.loads(hear(stranger))
        assert told["outcome"] == "invalid"
        assert "accepted: " in told["detail"]
        caller = Caller(address)
        assert caller.call({"op": "release", "order_id": "o-2"}) == {"outcome": "released"}
        caller.close()


def test_callers_at_once_get_each_its_own_answer(tmp_path: Path):
    with roles.inventory("era2_tcp", tmp_path) as (_, address):
        caller = Caller(address)

        def refused(number: int) -> bool:
            return f"op is {number};" in caller.call({"op": number})["detail"]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(refused, range(200)))
        caller.close()


def test_a_dead_inventory_is_unavailable_at_once_and_served_again_after_its_restart(tmp_path):
    with both("era2_tcp", tmp_path) as (inventory, _, address):
        assert ask(tmp_path, order("o-1"))["outcome"] == "placed"
        inventory.kill()
        inventory.wait()
        told = ask(tmp_path, order("o-2"), timeout_s=2.0)
        assert (told["outcome"], told["certain"]) == ("unavailable", True)
        assert "Connection refused; nothing was changed" in told["detail"]
        with roles.inventory("era2_tcp", tmp_path, address):
            assert ask(tmp_path, order("o-2"))["outcome"] == "placed"
            assert ask(tmp_path, order("o-1"))["outcome"] == "already_placed"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_inventory_that_can_open_nothing_more_serves_on_when_callers_leave(tmp_path):
    files = 24
    with roles.inventory("era2_tcp", tmp_path, files=files) as (process, address):
        port = port_of(address)
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(2 * files)]
        wait_until_open(process.pid, files)
        for caller in crowd:
            caller.close()
        caller = Caller(address)
        assert caller.call({"op": "release", "order_id": "o-1"}) == {"outcome": "released"}
        caller.close()


def test_all_places_fit_into_the_fewest_files_that_a_system_gives(tmp_path):
    with roles.inventory("era2_tcp", tmp_path, files=FEWEST_FILES) as (_, address):
        callers = [Caller(address) for _ in range(transport.MOST_CONNECTIONS)]
        for caller in callers:  # each keeps its connection
            assert caller.call({"op": "release", "order_id": "o-1"}) == {"outcome": "released"}
        for caller in callers:
            caller.close()


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])
