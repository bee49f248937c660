"""What is settled when a proxy starts: its sockets, how many files it may open, its fixed keys."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace

from era5_sidecar.config import SidecarConfig
from era5_sidecar.listening import listener_at

NOTHING_FOUND: Mapping[str, str] = {}
LEAST_RESERVE = 32  # files that are not for callers


def open_all(listens: Mapping[str, str]) -> dict[str, socket.socket]:
    """Listening sockets, by name as their addresses, where no supervisor hands any over.

    Raises OSError, naming the address.
    """
    return {name: listener_at(address) for name, address in listens.items()}


def allow_files() -> None:
    """As many connections as the machine allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_callers() -> int:
    """How many may be connected, so that files are left to ask for them and to write logs.

    Where none is left, who connects waits unheard, and nobody can be asked.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, files - max(LEAST_RESERVE, files // 8))


FIXED = ("service", "instance", "app", "admin_listen", "registry", "mark")
FIXED_INBOUND = (
    "listen",
    "advertise",
    "is_edge",
    "heartbeat_s",
    "lease_s",
    "health_path",
    "health_every_s",
)


def as_started(
    before: SidecarConfig, now: SidecarConfig, found: Mapping[str, str] = NOTHING_FOUND
) -> tuple[SidecarConfig, list[str]]:
    """What may be in force without a start, and the keys that differ and are not in it.

    found: by key, where we listen if any free port was to be taken: who writes that into the file
    changes nothing. Raises ConfigError if the two do not go together.
    """
    kept = {name: getattr(before, name) for name in FIXED}
    later = [name for name in FIXED if getattr(now, name) not in (kept[name], found.get(name))]
    inbound = {name: getattr(before.inbound, name) for name in FIXED_INBOUND}
    for name, of in inbound.items():
        if getattr(now.inbound, name) not in (of, found.get(f"inbound.{name}")):
            later.append(f"inbound.{name}")
    if (before.tls is None) != (now.tls is None):
        later.append("tls")
        kept["tls"] = before.tls
    if (before.outbound is None) != (now.outbound is None):
        later.append("outbound")
        kept["outbound"] = before.outbound
    return replace(now, inbound=replace(now.inbound, **inbound), **kept), later
