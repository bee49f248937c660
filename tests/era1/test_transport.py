"""The shell around the pure code: what a caller learns, and what it leaves behind."""

import time
from contextlib import contextmanager
from random import Random
from select import select
from threading import Event, Thread

import pytest

from era1_raw_network.carrier import Carrier
from era1_raw_network.endpoint import Endpoint
from era1_raw_network.transport import Caller, NoAnswer, receive_waiting, send_due

BOUND_S = 10.0


@contextmanager
def who_hangs_up():
    """A peer that takes every call and ends its half at once; its address."""
    carrier, endpoint = Carrier("udp://127.0.0.1:0", listening=True), Endpoint(Random(7), True)
    over = Event()

    def hang_up() -> None:
        while not over.is_set():
            send_due(carrier, endpoint)
            select([carrier], [], [], 0.01)
            receive_waiting(carrier, endpoint)
            for connection in endpoint.connections.values():
                connection.close(time.monotonic())

    thread = Thread(target=hang_up, daemon=True)
    thread.start()
    yield carrier.url
    over.set()
    thread.join(BOUND_S)
    carrier.close()


def test_a_peer_that_hangs_up_leaves_no_connection_behind():
    with who_hangs_up() as address:
        caller = Caller(address)
        with pytest.raises(NoAnswer, match="the peer ended the connection"):
            caller.call({})
        with caller._changed:
            gone = caller._changed.wait_for(lambda: not caller._endpoint.connections, BOUND_S)
        caller.close()
    assert gone
