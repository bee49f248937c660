"""Where the control plane listens for its operator: what may be asked is in operator_routes.py."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from era6_control_plane import operator_token
from era6_control_plane.governed import Governed
from era6_control_plane.operator_routes import MOST_BODY_BYTES, application
from era6_control_plane.ruling import Ruling

__all__ = ["Governed", "OperatorApi"]

THREADS = 8
MOST_CONNECTIONS = 64
MOST_HEADER_BYTES = 16 * 1024
SILENCE_S = 5  # of a connection, or in the middle of a request; then another may have its place
FINISH_S = 3.0  # at most, when told to close
LOOK_AGAIN_S = 0.01
LOOPBACK = ("127.0.0.1", "localhost")


class OperatorApi:
    """Serves in threads of its own, from `serve` to `close`."""

    def __init__(self, ruling: Ruling, governed: Governed, token: str) -> None:
        """token: what `Authorization: Bearer` must bring. Raises ValueError if it is too short."""
        operator_token.check(token, "the operator's token")
        self._ruling, self._governed, self._token = ruling, governed, token
        self._server: Any = None
        self._thread = threading.Thread(
            target=lambda: self._server.run(), name="operator", daemon=True
        )

    def serve(self, listener: socket.socket) -> None:
        """Answers at this socket from now on, and returns at once.

        listener: of a loopback address, or a Unix socket. Raises ValueError if others reach it.
        """
        app = application(self._ruling, self._governed, self._token, _names(listener))
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # waiting a little is no news
        self._server = create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=SILENCE_S,
            cleanup_interval=1,  # in seconds: how often that is looked at
            max_request_header_size=MOST_HEADER_BYTES,
            max_request_body_size=2 * MOST_BODY_BYTES,  # up to here Flask's 413 says more
            asyncore_use_poll=True,  # select() ends at descriptor 1024
            ident=None,
        )
        self._thread.start()

    def close(self) -> None:
        """Answers no more; who is inside still has his answer, unless it takes too long."""
        if not (server := self._server):
            return
        server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(server))
        until = time.monotonic() + FINISH_S
        while _is_busy(server) and time.monotonic() < until:
            time.sleep(LOOK_AGAIN_S)
        server.task_dispatcher.shutdown(timeout=LOOK_AGAIN_S)
        server.trigger.pull_trigger(lambda: _end(server))
        self._thread.join(FINISH_S)
        if not server.task_dispatcher.threads:  # one that is left may be about to pull it
            server.trigger.close()


def _names(listener: socket.socket) -> frozenset[str]:
    """The values of Host by which we may be called."""
    if listener.family == socket.AF_UNIX:
        return frozenset(LOOPBACK)
    host, port = listener.getsockname()[:2]
    if host != "::1" and not host.startswith("127."):
        raise ValueError(f"operator's address {host}; accepted: one of loopback, or unix:PATH")
    bracketed = f"[{host}]" if ":" in host else host
    return frozenset(f"{name}:{port}" for name in (bracketed, *LOOPBACK))


def _end(server: Any) -> None:
    """By the server's loop, which ends with it. Whoever asked for this may not have pulled the
    trigger yet: he would find it closed, or write into a file that was opened since.
    """
    server.trigger.del_channel()  # so it is not closed with all the others
    wasyncore.close_all(server._map, ignore_all=True)


def _is_busy(server: Any) -> bool:
    """Whether a request is under way, from its first byte to the last one of the answer."""
    channels = list(server.active_channels.values())
    return any(each.request or each.requests or each.total_outbufs_len for each in channels)
