"""Transparent, on Linux: the kernel leads to us whatever our service sends, wherever it was to go.

    service ── connects to 198.18.0.1:80, or anywhere ──▶ redirected ──▶ our outbound listener
    we      ── connect with a mark ────────────────────▶ let through ──▶ the wire

Who says so to the kernel is outside of us, as an init container in a cluster. Our service cannot
set the mark: that needs CAP_NET_ADMIN, which we have and it has not.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from era4_framework.config_rules import ConfigError

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h
SOCKADDR_IN = struct.Struct("!2xH4s8x")

_mark = 0  # one for a whole process, as its user is: 0 for none


def use_mark(mark: int) -> None:
    """From now on our connections to others bear it. Raises ConfigError if they may not."""
    global _mark
    try:
        _marked(socket.AF_INET, mark).close()
    except (OSError, AttributeError) as error:
        needed = "accepted is 0, or on Linux a number and the right CAP_NET_ADMIN for it"
        raise ConfigError("mark", f"is {mark}, which cannot be set ({error}): {needed}") from error
    _mark = mark


async def connected(host: str, port: int) -> socket.socket | None:
    """A connection that bears our mark; None if we have none: connect as usual. Raises OSError."""
    if not _mark:
        return None
    made = _marked(socket.AF_INET6 if ":" in host else socket.AF_INET, _mark)
    try:
        await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:  # a deadline among them
        made.close()
        raise
    return made


def was_going_to(connection: socket.socket) -> str:
    """HOST:PORT that our service dialled; empty if that was us."""
    try:
        told = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, SOCKADDR_IN.size)
    except (OSError, AttributeError):  # nothing was redirected, or this is no Linux
        return ""
    port, host = SOCKADDR_IN.unpack(told)
    dialled = (socket.inet_ntoa(host), port)
    return "" if dialled == connection.getsockname() else f"{dialled[0]}:{port}"


def _marked(family: int, mark: int) -> socket.socket:
    made = socket.socket(family)
    try:
        made.setblocking(False)
        if mark:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    except BaseException:
        made.close()
        raise
    return made
