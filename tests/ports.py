"""Ports for programs that must be told theirs before they start."""

import itertools
import os
import random
import socket
from contextlib import suppress

FIRST, LAST = 20_000, 32_000  # below those that Linux gives to who asks for any, or connects
WORKERS = 8  # of pytest-xdist: each has ports of its own
SHARE = (LAST - FIRST) // WORKERS


def free_port() -> int:
    """One that nobody has at this moment, and that no other test is told meanwhile."""
    for offset in _offsets:
        port = _begin + offset % SHARE
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("endless")


def _number() -> int:
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw")) % WORKERS


_begin = FIRST + _number() * SHARE
_offsets = itertools.count(random.SystemRandom().randrange(SHARE))
