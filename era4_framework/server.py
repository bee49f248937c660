"""A service as a process: it listens, says that it is ready, serves, and leaves in good order.

waitress reads a whole request before a thread gets it, so a caller that writes slowly costs none.

Leaving (SIGTERM) takes four steps:
1. /ready says no, the lease is given back, and every answer asks its caller to hang up;
2. that goes on until callers have noticed (`settle_s`), and who comes new is still let in;
3. then the door is closed, and who is inside has his answer (in `drain_s` at most);
4. when it has been quiet for a moment, the threads end, and the store can be closed.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import flask
from waitress import wasyncore
from waitress.server import create_server
from waitress.task import WSGITask

from era0_naive.role import host_and_port
from era4_framework.config import ServerConfig
from era4_framework.resolver import Lease, Resolver

MOST_CONNECTIONS = 150  # at once; they fit into the 256 files that macOS lets a process open
IDLE_CONNECTION_S = 30
MOST_HEADER_BYTES = 32 * 1024
LOOK_AGAIN_S = 0.01
QUIET_S = 0.1  # a request that is on its way, or read only now, is in nobody's count


class Door:
    """Whether requests should be sent here: what /ready tells."""

    def __init__(self, instances: Resolver | None = None) -> None:
        """instances: of the service that this one cannot do without."""
        self.is_open = True
        self._instances = instances

    def __call__(self) -> tuple[bool, dict[str, Any]]:
        """Yes or no, and what else there is to tell."""
        if self._instances is None:
            return self.is_open, {}
        names = [each.name for each in self._instances()]
        return self.is_open and bool(names), {"instances": names}


def listener_at(address: str) -> socket.socket:
    """A socket that listens at http://HOST:PORT, port 0 being any that is free.

    Raises ValueError or OSError, naming the address, if it cannot listen there.
    """
    try:
        return socket.create_server(host_and_port(address, "http", least_port=0), backlog=128)
    except OSError as error:
        raise OSError(
            f"address {address!r}: {error.strerror}; accepted: an address of this machine with"
            " a free port, or port 0 for any"
        ) from error


def serve(
    listener: socket.socket,
    app: flask.Flask,
    door: Door,
    config: ServerConfig,
    ready: Callable[[str], None],
    lease: Lease | None = None,
) -> None:
    """Serves until the process is told to stop. `ready` is told the URL, its port filled in."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # shedding tells it better
    server = create_server(
        app,
        sockets=[listener],
        threads=config.threads,
        connection_limit=MOST_CONNECTIONS,
        channel_timeout=IDLE_CONNECTION_S,
        max_request_header_size=MOST_HEADER_BYTES,
        max_request_body_size=16 * config.max_body_bytes,  # up to here Flask's 413 says more
        asyncore_use_poll=True,  # select() ends at descriptor 1024
        ident=None,
    )
    threading.Thread(target=server.run, name="waitress", daemon=True).start()
    host, port = listener.getsockname()
    url = f"http://{host}:{port}"
    try:
        if lease:
            lease.take(url)  # what of it reached the registry is given back, whatever ends us
        ready(url)
        threading.Event().wait()  # until SIGTERM raises SystemExit here
    finally:
        _drain(server, door, config, lease)


def _drain(server: Any, door: Door, config: ServerConfig, lease: Lease | None) -> None:
    """The four steps, in at most settle_s + drain_s seconds, and the lease's last question."""
    _ask_to_hang_up(server)
    door.is_open = False
    settled = time.monotonic() + config.settle_s
    if lease:
        lease.give_back()
    while time.monotonic() < settled:
        _ask_to_hang_up(server)
        time.sleep(LOOK_AGAIN_S)
    server.trigger.pull_trigger(lambda: _close(server))  # by the thread that accepts
    quiet_since = time.monotonic()
    until = quiet_since + config.drain_s
    while (now := time.monotonic()) < min(until, quiet_since + QUIET_S):
        _ask_to_hang_up(server)
        quiet_since = now if server.accepting or _in_flight(server) else quiet_since
        time.sleep(LOOK_AGAIN_S)
    left_s = max(LOOK_AGAIN_S, until - time.monotonic())
    server.task_dispatcher.shutdown(timeout=left_s)  # no thread may find the store closed


def _ask_to_hang_up(server: Any) -> None:
    """From now on each answer says `Connection: close`; the next request finds another door."""
    for channel in list(server.active_channels.values()):
        channel.task_class = _last_task


def _last_task(channel: Any, request: Any) -> WSGITask:
    if len(channel.requests) == 1:  # what else he has sent before is answered, too
        request.headers["CONNECTION"] = "close"  # as if he had wished it: RFC 9112, section 9.6
    return WSGITask(channel, request)


def _close(server: Any) -> None:
    """Nobody new is let in; who has reached the queue before still is."""
    inside = -1
    while inside < len(server.active_channels):
        inside = len(server.active_channels)
        server.handle_accept()
    wasyncore.dispatcher.close(server)  # its own close() would also end the loop's trigger


def _in_flight(server: Any) -> int:
    """Requests under way, from their first byte to the last one of the answer."""
    channels = list(server.active_channels.values())
    return sum(bool(each.request or each.requests or each.total_outbufs_len) for each in channels)
