"""Which ports an Envoy listens at: it can tell nobody which it took, nor why it took none.

Whoever has a port already would be found there by those who look whether our Envoy serves: it would
be told to others as ours.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from era5_sidecar.supervisor_config import host_and_port


def addresses(asked: Mapping[str, str], held: ExitStack) -> dict[str, str]:
    """By name, http://HOST:PORT each; for port 0 one that is free, and that nobody else who asks
    for any is given before `held` is closed: two Envoys would share it. Raises OSError.
    """
    return {name: _free(url, held) for name, url in asked.items()}


def one_free(url: str, held: ExitStack) -> str:
    """Another port of the same host."""
    host, _ = host_and_port(url)
    return _free(f"http://{host}:0", held)


def _free(url: str, held: ExitStack) -> str:
    host, port = host_and_port(url)
    if port:
        _claim(url, host, port)
        return url
    bound = held.enter_context(socket.socket())  # and does not listen: Envoy may
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, 0))
    return f"http://{host}:{bound.getsockname()[1]}"


def _claim(url: str, host: str, port: int) -> None:
    """As Envoy will, who shares its ports with others of its kind: one may outlive its keeper."""
    with socket.socket() as claim:
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            claim.bind((host, port))
        except OSError as error:
            raise OSError(
                f"address {url!r}: {os.strerror(error.errno or 0)}; accepted: an address of this"
                " machine with a free port, or port 0 for any"
            ) from error
