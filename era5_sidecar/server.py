"""A service as a process: it listens, says that it is ready, serves, and ends in good order."""

import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
from waitress import wasyncore
from waitress.server import create_server

from era0_naive.role import host_and_port
from era5_sidecar.web import MOST_BODY_BYTES

THREADS = 16
BACKLOG = 128  # connections that wait to be accepted
FINISH_S = 3.0  # at most, when told to stop
LOOK_AGAIN_S = 0.01
QUIET_S = 0.1  # a request that is on its way, or read only now, is in nobody's count
ONLY_OURS = 0o177  # a umask: whoever may open the socket may ask anything, so nobody else may


def listener_at(address: str) -> socket.socket:
    """A socket that listens at unix:PATH or http://HOST:PORT, where 0 is any that is free.

    Raises ValueError or OSError, naming the address, if it cannot listen there.
    """
    try:
        if address.startswith("unix:"):
            return _unix_listener(Path(address.removeprefix("unix:")))
        return socket.create_server(host_and_port(address, "http", least_port=0), backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            f"address {address!r}: {error.strerror or error}; accepted: unix:PATH with a new path"
            " of at most 100 bytes, or http://HOST:PORT that is free on this machine (0: any)"
        ) from error


def _unix_listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(ONLY_OURS)
    try:
        _clear(path)
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _clear(path: Path) -> None:
    """Takes away the socket that a killed service left behind, and nothing else."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == errno.ECONNREFUSED:
            path.unlink()


def serve(listener: socket.socket, app: flask.Flask, ready: Callable[[str], None]) -> None:
    """Serves until the process is told to stop; who is inside then still has his answer.

    `ready` is told the address, none of it left open.
    """
    server = create_server(
        app,
        sockets=[listener],
        threads=THREADS,
        max_request_body_size=16 * MOST_BODY_BYTES,  # up to here Flask's 413 says more
        asyncore_use_poll=True,  # select() ends at descriptor 1024
        ident=None,
    )
    threading.Thread(target=server.run, name="waitress", daemon=True).start()
    try:
        ready(_address_of(listener))
        threading.Event().wait()  # until SIGTERM raises SystemExit here
    finally:
        _finish(server)


def _address_of(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    return "http://{}:{}".format(*listener.getsockname())


def _finish(server: Any) -> None:
    # by the thread that accepts; its own close() would also end the loop's trigger
    server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(server))
    quiet_since = time.monotonic()
    until = quiet_since + FINISH_S
    while (now := time.monotonic()) < min(until, quiet_since + QUIET_S):
        quiet_since = now if _is_busy(server) else quiet_since
        time.sleep(LOOK_AGAIN_S)
    server.task_dispatcher.shutdown()  # no thread may find the store closed


def _is_busy(server: Any) -> bool:
    """Whether a request is under way, from its first byte to the last one of the answer."""
    channels = list(server.active_channels.values())
    return any(each.request or each.requests or each.total_outbufs_len for each in channels)
