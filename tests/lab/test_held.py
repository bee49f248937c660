"""The ports of who was killed: nobody gets them by chance, and who comes back listens there."""

import socket
from contextlib import closing

import pytest

from lab.held import HeldPorts


@pytest.fixture
def held():
    ports = HeldPorts()
    yield ports
    ports.release()


def port_that_was_left() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def can_be_taken(port: int) -> bool:
    """Whether somebody who did not ask for it in particular could have it."""
    with closing(socket.socket()) as stranger:
        try:
            stranger.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_nobody_is_given_a_port_that_is_held(held):
    port = port_that_was_left()
    assert can_be_taken(port)
    held.hold([f"http://127.0.0.1:{port}"])
    assert not can_be_taken(port)
    held.release()
    assert can_be_taken(port)


def test_who_calls_there_is_refused_as_by_a_dead_one(held):
    port = port_that_was_left()
    held.hold([f"tcp:127.0.0.1:{port}"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_who_comes_back_listens_there_as_often_as_he_likes(held):
    port = port_that_was_left()
    for _ in range(3):
        held.hold([f"https://127.0.0.1:{port}"])
        with socket.create_server(("127.0.0.1", port)) as server:
            held.hold([f"https://127.0.0.1:{port}"])  # he lives, and is not disturbed
            with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
                pass


@pytest.mark.parametrize("address", ["unix:/tmp/door", "udp:127.0.0.1:9", "ip:10.7.0.2", "", "x:y"])
def test_an_address_without_a_port_of_tcp_is_left_alone(held, address):
    held.hold([address])
    assert repr(held) == "<HeldPorts []>"


def test_a_port_that_somebody_has_is_left_to_him(held):
    with socket.create_server(("127.0.0.1", 0)) as server:
        held.hold([f"http://127.0.0.1:{server.getsockname()[1]}"])
        assert repr(held) == "<HeldPorts []>"
