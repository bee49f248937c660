"""What is settled when a proxy starts: its sockets, how many files it may open, its fixed keys."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys

from era0_naive.role import host_and_port
from era5_sidecar.config import SidecarConfig
from era5_sidecar.listening import BACKLOG

LEAST_RESERVE = 32  # files that are not for callers


def open_all(config: SidecarConfig) -> dict[str, socket.socket]:
    """Listening sockets, where no supervisor hands any over. Raises OSError, naming the address."""
    asked = {"inbound": config.inbound.listen, "admin": config.admin_listen}
    if config.outbound:
        asked["outbound"] = config.outbound.listen
    opened: dict[str, socket.socket] = {}
    for name, address in asked.items():
        try:
            where = host_and_port(address, "http", least_port=0)
            opened[name] = socket.create_server(where, backlog=BACKLOG)
        except OSError as error:
            raise OSError(f"{name} {address!r}: {error.strerror}") from error
    return opened


def allow_files() -> None:
    """As many connections as the machine allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_callers() -> int:
    """How many may be connected, so that files are left to ask for them and to write logs.

    Where none is left, who connects is neither told nor counted, and whom we ask is blamed.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, files - max(LEAST_RESERVE, files // 8))


def only_at_a_start(before: SidecarConfig, now: SidecarConfig) -> str:
    """Which keys that differ are read only when a proxy starts; empty if none is."""
    differing = [
        name
        for name in ("service", "instance", "admin_listen", "registry", "mark")
        if getattr(before, name) != getattr(now, name)
    ]
    for name in ("listen", "advertise", "heartbeat_s", "lease_s", "health_path", "health_every_s"):
        if getattr(before.inbound, name) != getattr(now.inbound, name):
            differing.append(f"inbound.{name}")
    return ", ".join(differing)
