"""Calls over packets that promise nothing: the clock and the socket around `endpoint` and below.

Every service of this era carries all of it: the checksum, the numbers, the acknowledgements, the
timers, the windows. Here they only meet the real world; what is decided is decided in pure code.
"""

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from era0_naive.shop import respond
from era1_raw_network.carrier import Carrier
from era1_raw_network.codec import decode
from era1_raw_network.connection import Connection
from era1_raw_network.endpoint import Endpoint
from era1_raw_network.opening import CONNECT_S
from era1_raw_network.states import State

ANSWER_S = 3.0  # the longest silence while an answer is awaited
REQUESTS_WINDOW = 64  # segments of requests a peer may have waiting here
TURN = 128  # packets taken in before any are sent: acknowledgements then cover several


class Unreachable(Exception):
    """The request certainly was not executed: it never left."""


class NoAnswer(Exception):
    """The request perhaps was executed: it left, and no whole answer came."""


class Caller:
    """The side that asks. Many threads may; each call has a connection to itself while it lasts."""

    def __init__(self, address: str) -> None:
        """Raises ValueError if the address is none of era 1, OSError if no socket is to be had."""
        self._address = address
        self._carrier = Carrier(address, listening=False)
        self._endpoint = Endpoint(SystemRandom(), accepts=False)
        self._idle: list[Connection] = []
        self._changed = threading.Condition()
        self._wake_end, self._sleep_end = socket.socketpair()
        self._sleep_end.setblocking(False)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="era1-caller", daemon=True)
        self._thread.start()

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send `request`, return its answer. Raises Unreachable or NoAnswer."""
        message = json.dumps(request).encode()
        with self._changed:
            connection = self._connection()
            connection.send(message)
            self._wake_end.send(b"!")
            answer = self._await(connection)
            self._idle.append(connection)
        return _object(answer)

    def close(self) -> None:
        """Tell every peer that nothing follows, and stop; whether it hears is not waited for."""
        with self._changed:
            for connection in self._endpoint.connections.values():
                connection.close(time.monotonic())
            self._closing = True
            self._wake_end.send(b"!")
        self._thread.join()
        for opened in (self._carrier, self._wake_end, self._sleep_end):
            opened.close()

    def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.state is State.ESTABLISHED:
                return connection
            connection.close(time.monotonic())
        return self._endpoint.connect(self._carrier.peer, time.monotonic())

    def _await(self, connection: Connection) -> bytes:
        progress, patience_ends = -1, 0.0
        while True:
            messages = connection.take()
            if messages:
                return messages[0]
            opened = connection.receiver is not None
            if connection.state is State.CLOSED or connection.ended:
                connection.close(time.monotonic())  # our half as well, or it would stay for ever
                reason = connection.error or "the peer ended the connection"
                raise _failure(opened, f"{self._address}: {reason}")
            now = time.monotonic()
            if connection.counts["received"] != progress:
                progress, patience_ends = connection.counts["received"], now + ANSWER_S
            if now >= patience_ends + (0.0 if opened else CONNECT_S):
                connection.abort(now)
                self._wake_end.send(b"!")
                raise _failure(opened, f"{self._address}: silent for {ANSWER_S:g} s")
            self._changed.wait(max(patience_ends - now, 0.1))

    def _swallow_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._sleep_end.recv(4096)

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                longest_s = send_due(self._carrier, self._endpoint)
            select.select((self._carrier.fileno(), self._sleep_end.fileno()), (), (), longest_s)
            self._swallow_wakes()
            with self._changed:
                receive_waiting(self._carrier, self._endpoint)
                self._changed.notify_all()
        send_due(self._carrier, self._endpoint)


def serve(
    address: str,
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    ready: Callable[[str], None],
) -> None:
    """Inventory's side: one request after the other, for ever.

    Calls `ready` with the address, its port filled in, once requests are heard. Raises ValueError
    or OSError, naming the address, if it cannot listen there.
    """
    carrier = Carrier(address, listening=True)
    endpoint = Endpoint(SystemRandom(), accepts=True, window=REQUESTS_WINDOW)
    ready(carrier.url)
    while True:
        select.select((carrier.fileno(),), (), (), send_due(carrier, endpoint))
        receive_waiting(carrier, endpoint)
        for connection in list(endpoint.connections.values()):
            if connection.sender.queue:
                continue  # its answers first: who asks without listening fills his window, not us
            for message in connection.take():
                connection.send(respond(message, answer))
            if connection.ended:
                connection.close(time.monotonic())


def send_due(carrier: Carrier, endpoint: Endpoint) -> float | None:
    """Let timers take effect and send what may leave; seconds until the next time, None: never."""
    endpoint.wake(time.monotonic())
    for peer, packet in endpoint.outgoing(time.monotonic()):
        carrier.send(packet, peer)
    wakeup = endpoint.next_wakeup()
    return None if wakeup is None else max(0.0, wakeup - time.monotonic())


def receive_waiting(carrier: Carrier, endpoint: Endpoint) -> None:
    """Take in the packets that have arrived; damaged ones are dropped and counted."""
    now = time.monotonic()
    for _ in range(TURN):
        arrived = carrier.receive()
        if arrived is None:
            return
        frame, offset, peer = arrived
        segment = decode(frame, offset)
        if segment is None:
            endpoint.counts["malformed"] += 1
            continue
        endpoint.on_segment(peer, segment, now)


def _object(message: bytes) -> dict[str, Any]:
    """The JSON object in an answer; {} for anything else, of which nobody knows what it means."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _failure(opened: bool, reason: str) -> Unreachable | NoAnswer:
    return NoAnswer(reason) if opened else Unreachable(reason)
