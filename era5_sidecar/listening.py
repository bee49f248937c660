"""The listening sockets of a sidecar, opened once by its supervisor; every proxy inherits them."""

import os
import socket

from era5_sidecar.supervisor_config import host_and_port

BACKLOG = 4096  # connections that wait while nobody accepts: the kernel may allow fewer


def listener_at(address: str) -> socket.socket:
    """One at http://HOST:PORT. Raises OSError, naming the address, if it cannot be listened at."""
    try:
        return socket.create_server(host_and_port(address), backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            f"address {address!r}: {os.strerror(error.errno or 0)}; accepted: an address of this"
            " machine with a free port, or port 0 for any"
        ) from error


def url_of(listener: socket.socket) -> str:
    """Where it is reached, with the port that was free."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
