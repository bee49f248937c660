"""The ports of an Envoy: free ones, and none that is another's."""

import socket
from contextlib import ExitStack, closing

import pytest

from era6_control_plane.envoy_ports import addresses, one_free


@pytest.fixture
def held():
    with ExitStack() as stack:
        yield stack


def url_of(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname())


def test_each_name_gets_a_port_of_its_own(held):
    told = addresses({"inbound": "http://127.0.0.1:0", "admin": "http://127.0.0.1:0"}, held)
    assert len({*told.values(), one_free(told["admin"], held)}) == 3
    assert not any(url.endswith(":0") for url in told.values())


def test_a_port_that_is_another_s_is_refused_by_name(held):
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        at = url_of(squatter)
        with pytest.raises(OSError, match=f"address '{at}': Address already in use; accepted: "):
            addresses({"inbound": at}, held)
    assert addresses({"inbound": at}, held) == {"inbound": at}


def test_another_envoy_may_be_there_yet(held):
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as before:
        assert addresses({"inbound": url_of(before)}, held) == {"inbound": url_of(before)}


def test_a_port_that_was_chosen_is_free_for_an_envoy_and_for_nobody_by_chance(held):
    url = addresses({"inbound": "http://127.0.0.1:0"}, held)["inbound"]
    port = int(url.rpartition(":")[2])
    with closing(socket.socket()) as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    for _ in range(2):  # the second takes over from the first
        listener = held.enter_context(closing(socket.socket()))
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):  # as Envoy has them
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
