"""The ports of an Envoy: free ones, and none that is another's."""

import socket

import pytest

from era6_control_plane.envoy_ports import addresses, one_free


def url_of(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname())


def test_each_name_gets_a_port_of_its_own():
    told = addresses({"inbound": "http://127.0.0.1:0", "admin": "http://127.0.0.1:0"})
    assert len({*told.values(), one_free(told["admin"])}) == 3
    assert not any(url.endswith(":0") for url in told.values())


def test_a_port_that_is_another_s_is_refused_by_name():
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        at = url_of(squatter)
        with pytest.raises(OSError, match=f"address '{at}': Address already in use; accepted: "):
            addresses({"inbound": at})
    assert addresses({"inbound": at}) == {"inbound": at}


def test_another_envoy_may_be_there_yet():
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as before:
        assert addresses({"inbound": url_of(before)}) == {"inbound": url_of(before)}
