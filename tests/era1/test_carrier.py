"""The socket below: addresses, and errors that anybody could have sent."""

import contextlib
import select
import socket

import pytest

from era1_raw_network.carrier import Carrier, parse
from era1_raw_network.codec import PING, decode, encode

PACKET = encode(PING, 0, 1, 0, 7, 1, 1, 1, 0)


@contextlib.contextmanager
def carriers(host="127.0.0.1"):
    with contextlib.closing(Carrier("udp://127.0.0.1:0", listening=True)) as called:
        port = called.url.rsplit(":", 1)[1]
        with contextlib.closing(Carrier(f"udp://{host}:{port}", listening=False)) as caller:
            yield caller, called


def arrived(carrier):
    select.select([carrier], [], [], 5.0)
    return carrier.receive()


def test_a_packet_travels_and_says_who_sent_it():
    with carriers() as (caller, called):
        caller.send(PACKET, caller.peer)
        frame, offset, peer = arrived(called)
        assert decode(frame, offset) == decode(PACKET)
        called.send(PACKET, peer)
        assert arrived(caller)[2] == caller.peer


def test_a_name_and_its_number_are_the_same_peer():
    with carriers("localhost") as (caller, called):
        caller.send(PACKET, caller.peer)
        called.send(PACKET, arrived(called)[2])
        assert arrived(caller)[2] == caller.peer == ("127.0.0.1", caller.peer[1])


def test_an_unreachable_port_is_a_soft_error_and_ends_nothing():
    """ICMP can be forged by anybody (RFC 5927): it is counted, and timers decide."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    with contextlib.closing(Carrier(f"udp://127.0.0.1:{port}", listening=False)) as caller:
        caller.send(PACKET, caller.peer)
        assert arrived(caller) is None
        assert caller.soft_errors == 1


def test_a_packet_the_medium_cannot_take_is_lost_not_raised():
    with carriers() as (caller, _):
        caller.send(bytes(70_000), caller.peer)
        assert caller.soft_errors == 1


def test_nothing_there_is_nothing():
    with carriers() as (caller, called):
        assert caller.receive() is None and called.receive() is None


@pytest.mark.parametrize(
    "address",
    ["", "10.7.0.1", "tcp://10.7.0.1:80", "udp://10.7.0.1", "udp://:4000", "ip://10.7.0.1:4000",
     "udp://10.7.0.1:99999", "udp://10.7.0.1:-1", "udp://10.7.0.1:x"],
)  # fmt: skip
def test_what_is_no_address_is_named_with_what_is_accepted(address):
    with pytest.raises(ValueError, match="accepted are ip://HOST and udp://HOST:PORT") as refused:
        parse(address)
    assert repr(address) in str(refused.value)


def test_a_port_in_use_is_an_error_that_names_the_address():
    with carriers() as (_, called), pytest.raises(OSError, match=called.url):
        Carrier(called.url, listening=True)


def test_a_host_that_does_not_exist_is_an_error_that_names_the_address(monkeypatch):
    def nowhere(host):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", nowhere)
    with pytest.raises(OSError, match="udp://nowhere:1: Name or service not known"):
        Carrier("udp://nowhere:1", listening=False)
