"""Beside a service: a sidecar, and the proxy that it keeps running."""

from __future__ import annotations

import importlib
import os
import re
import signal
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from lab.cast.setting import OURS
from lab.find import Era
from lab.launch import Role, RoleFailed
from lab.processes import children_of, has_ended

PROXY_S = 20.0  # for another proxy to have taken over, and the old one to have ended
LOOK_S = 0.01
DIES_S = 5.0  # a machine so busy is another trouble
MOMENT_S = 2.0  # for a sidecar to say what it makes of its file
VERDICT = re.compile(r"^sidecar: (.*(?:\bin force\b|not taken over).*)$", re.MULTILINE)
IN_FORCE = re.compile(r"\S+ is in force")
NO_UPGRADE = "sidecar: no upgrade: "
SUFFIX = "-sidecar"
ANY_PORT = "http://127.0.0.1:0"


def kill_proxy(role: Role) -> None:
    """kill -9 of the proxy, not of who starts it again; returns when it has let go of all."""
    killed = children_of(role.pid)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + DIES_S
    while not all(map(has_ended, killed)) and time.monotonic() < until:
        time.sleep(LOOK_S)


class Hearing:
    """What a sidecar says from now on."""

    def __init__(self, role: Role) -> None:
        self._log = role.log
        self._begins_at = role.log.stat().st_size if role.log.exists() else 0

    def said(self) -> str:
        """All of it so far."""
        with self._log.open("rb") as log:
            log.seek(self._begins_at)
            return log.read().decode(errors="replace")

    def verdict(self) -> str:
        """What it makes of its file: empty if it obeys, else what is wrong or what must wait; or
        that it has said nothing for a moment.
        """
        until = time.monotonic() + MOMENT_S
        while not (found := VERDICT.search(self.said())):
            if time.monotonic() > until:
                return "it has not said yet whether it obeys"
            time.sleep(LOOK_S)
        return "" if IN_FORCE.fullmatch(found[1].strip()) else found[1].strip()


def upgrade_proxy(role: Role) -> None:
    """A new proxy takes over from the running one, which ends when it has answered everybody.

    Raises RoleFailed with what the sidecar said if that does not happen.
    """
    hearing = Hearing(role)
    old = children_of(role.pid)
    role.signal(signal.SIGUSR2)
    until = time.monotonic() + PROXY_S
    while (now := children_of(role.pid)) & old or not now:
        said = hearing.said()
        if NO_UPGRADE in said:
            raise RoleFailed(f"{role.name} was not upgraded; it said:\n{said.rstrip()}")
        if time.monotonic() > until:
            told = f"; it said:\n{said.rstrip()}" if said else ""
            raise RoleFailed(f"{role.name}: no other proxy took over in {PROXY_S:g} s{told}")
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
    if lacking := why_not(era):
        raise ValueError(lacking)
    if not name:
        return
    if not era.has_sidecars:
        raise ValueError(f"proxy {name!r}: era {era.number} has no sidecars, era 5 has")
    bought = importlib.import_module(f"{era.package}.bought")
    if name not in bought.PROGRAMS:
        raise ValueError(f"proxy {name!r}; accepted: {OURS}, {', '.join(bought.PROGRAMS)}")
    try:
        bought.find(name)
    except OSError as missing:
        raise ValueError(str(missing)) from missing


def require_data_planes(era: Era, names: Mapping[str, str]) -> None:
    """The same for each node that has one of its own. `python` is the era's own, here, too."""
    if names and not era.has_control_plane:
        raise ValueError(f"data planes: era {era.number} has no control plane, era 6 has")
    for name in set(names.values()) - {OURS}:
        require_proxy(era, name)


def why_not(era: Era) -> str:
    """What an era lacks here, and how to get it; empty if it can run."""
    if era.has_control_plane and not find_spec("grpc"):
        told = "`make .venv/mesh` or `pip install -e '.[mesh]'` brings it"
        return f"era {era.number}: its control plane speaks gRPC, which is not installed; {told}"
    return ""
