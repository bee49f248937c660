"""Beside a service: a sidecar, and the proxy that it keeps running."""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from lab.find import Era
from lab.launch import Role, RoleFailed
from lab.processes import children_of

PROXY_S = 20.0  # for another proxy to have taken over, and the old one to have ended
LOOK_S = 0.01
SUFFIX = "-sidecar"
ANY_PORT = "http://127.0.0.1:0"


def kill_proxy(role: Role) -> None:
    """kill -9 of the proxy, not of who starts it again."""
    for pid in children_of(role.pid):
        os.kill(pid, signal.SIGKILL)


def upgrade_proxy(role: Role) -> None:
    """A new proxy takes over from the running one, which ends when it has answered everybody.

    Raises RoleFailed if that does not happen.
    """
    old = children_of(role.pid)
    role.signal(signal.SIGUSR2)
    until = time.monotonic() + PROXY_S
    while (now := children_of(role.pid)) & old or not now:
        if time.monotonic() > until:
            raise RoleFailed(f"{role.name}: no other proxy took over in {PROXY_S:g} s")
        time.sleep(LOOK_S)


def overlaid(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The table with what is in `over` instead, at whatever depth."""
    both = dict(table)
    for key, value in over.items():
        inner = both.get(key)
        is_table = isinstance(inner, Mapping) and isinstance(value, Mapping)
        both[key] = overlaid(inner, value) if is_table else value  # type: ignore[arg-type]
    return both


def require_proxy(era: Era, name: str) -> None:
    """Raises ValueError if this proxy cannot be had, or is not installed; "" is the era's own."""
    if not name:
        return
    if not era.has_sidecars:
        raise ValueError(f"proxy {name!r}: era {era.number} has no sidecars, era 5 has")
    bought = importlib.import_module(f"{era.package}.bought")
    if name not in bought.PROGRAMS:
        raise ValueError(f"proxy {name!r}; accepted: python, {', '.join(bought.PROGRAMS)}")
    try:
        bought.find(name)
    except OSError as missing:
        raise ValueError(str(missing)) from missing
