"""How a call travels in era 2: as a frame on a TCP connection.

Loss, order, duplicates, flow and congestion control, all of era 1, are the kernel's now. Two
things stay with the service: where a message ends (`framing`), and how long it waits. TCP itself
gives up on a silent peer after a quarter of an hour (Linux, tcp_retries2).
"""

import json
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from era0_naive.counter import next_from
from era0_naive.role import host_and_port
from era0_naive.shop import Outcome, respond
from era2_tcp.framing import Decoder, FrameTooLarge, frame

CONNECT_TIMEOUT_S = 3.5  # a SYN is lost, sent again after 1 s, and after 3 s (RFC 6298, section 2)
SILENCE_TIMEOUT_S = 3.0  # without a byte of the answer; a peer that trickles can take longer
PIECE_BYTES = 65_536
MOST_CONNECTIONS = 200  # at once, a thread each; more of them wait in the kernel's queue. So many
# fit into the 256 files that macOS lets a process open.
KEEPALIVE_AFTER_S, KEEPALIVE_EACH_S, KEEPALIVES = 30, 10, 3  # a vanished caller goes after 60 s


class Unreachable(Exception):
    """The request certainly was not executed: there is no connection, or it did not leave whole."""


class NoAnswer(Exception):
    """The request perhaps was executed: it left, and no whole answer came."""


class Caller:
    """The side that asks. Many threads may; each call has a connection to itself while it lasts."""

    def __init__(self, address: str) -> None:
        """Raises ValueError if the address is not tcp://HOST:PORT."""
        self._inventory = host_and_port(address, "tcp")
        self._address = address
        self._idle: list[socket.socket] = []
        self._turn = threading.Lock()

    def call(self, request: dict[str, Any]) -> Any:
        """Sends the request, returns its answer. Raises Unreachable or NoAnswer."""
        connection = self._take_idle() or self._connect()
        try:
            self._send(connection, request)
            answer = self._receive(connection)
        except BaseException:
            connection.close()  # a late answer must not be taken for the next one's
            raise
        with self._turn:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        with self._turn:
            while self._idle:
                self._idle.pop().close()

    def _take_idle(self) -> socket.socket | None:
        while True:
            with self._turn:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            # nothing was asked, so what can be read is the end: the peer has closed, or died
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()

    def _connect(self) -> socket.socket:
        try:
            connection = socket.create_connection(self._inventory, CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise Unreachable(f"{self._address}: no connection in {CONNECT_TIMEOUT_S} s") from error
        except OSError as error:
            raise Unreachable(f"{self._address}: {error.strerror}") from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(SILENCE_TIMEOUT_S)
        return connection

    def _send(self, connection: socket.socket, request: dict[str, Any]) -> None:
        try:
            connection.sendall(frame(json.dumps(request).encode()))
        except OSError as error:
            # sendall failed, so the frame's end did not leave, and half a frame is not executed
            raise Unreachable(f"{self._address}: {error}") from error

    def _receive(self, connection: socket.socket) -> Any:
        decoder, answers = Decoder(), list[bytes]()
        try:
            while not answers and (piece := connection.recv(PIECE_BYTES)):
                answers = decoder.feed(piece)
            if answers:
                (answer,) = answers  # to one request; of two nobody knows which is meant
                return json.loads(answer)
        except TimeoutError as error:
            raise NoAnswer(f"{self._address}: silent for {SILENCE_TIMEOUT_S} s") from error
        except OSError as error:
            raise NoAnswer(f"{self._address}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise NoAnswer(f"{self._address}: its answer makes no sense: {error}") from error
        raise NoAnswer(f"{self._address}: closed the connection before its answer was whole")


def serve(
    address: str,
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    ready: Callable[[str], None],
) -> None:
    """Inventory's side: a thread for each connection, for ever.

    Calls `ready` with the address, its port filled in, once calls are accepted. Raises ValueError
    or OSError, naming the address, if it cannot listen there.
    """
    host, port = host_and_port(address, "tcp", least_port=0)
    try:
        listener = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise OSError(
            f"address {address!r}: {error.strerror}; accepted: an address of this machine with"
            " a free port, or port 0 for any"
        ) from error
    places = threading.BoundedSemaphore(MOST_CONNECTIONS)
    with listener:
        ready(f"tcp://{host}:{listener.getsockname()[1]}")
        while True:
            places.acquire()
            connection = next_from(listener)
            attend = threading.Thread(
                target=_attend, args=(connection, answer, places), daemon=True
            )
            attend.start()


def _attend(
    connection: socket.socket,
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    places: threading.BoundedSemaphore,
) -> None:
    try:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _notice_if_gone(connection)
            _answer_frames(connection, answer)
    except OSError:
        pass  # the caller is gone
    finally:
        places.release()


def _notice_if_gone(connection: socket.socket) -> None:
    """Has the kernel end a connection whose caller vanished without a word (RFC 1122, 4.2.3.6).

    A caller that loses its power or its cable sends no FIN: we would wait for its next request for
    ever, and it would keep its place. A kernel asks by itself only after two hours.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    after = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # macOS
    times = {
        after: KEEPALIVE_AFTER_S,
        "TCP_KEEPINTVL": KEEPALIVE_EACH_S,
        "TCP_KEEPCNT": KEEPALIVES,
    }
    for name, value in times.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _answer_frames(
    connection: socket.socket, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    decoder = Decoder()
    try:
        while piece := connection.recv(PIECE_BYTES):
            for message in decoder.feed(piece):
                connection.sendall(frame(respond(message, answer)))
    except FrameTooLarge as error:  # where the next frame would begin nobody knows: say so, close
        refused = Outcome("invalid", str(error), field="the frame").message()
        connection.sendall(frame(json.dumps(refused).encode()))
