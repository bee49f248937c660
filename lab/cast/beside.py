"""What stands beside one service: a sidecar's file, and the process that keeps a proxy running.

The era has a file for each of its services, as `inventory.toml`: its policies. Where things are on
this stage is written into a copy, which is the sidecar's own from then on.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cast.setting import Setting, Variant
from lab.cast.toml import toml_of
from lab.find import Era
from lab.launch import Role, RoleFailed
from lab.processes import children_of
from lab.wire.namespaces import Host

PROXY_S = 20.0  # for another proxy to have taken over, and the old one to have ended
LOOK_S = 0.01
SUFFIX = "-sidecar"
ANY_PORT = "http://127.0.0.1:0"
OF_THE_FILE = {"inbound", "outbound", "registry", "tls", "limits", "log", "supervisor"}
OF_THE_FILE |= {"app", "mark", "release"}  # what a key in the file begins with


@dataclass(frozen=True)
class Places:
    """Where everything is that a sidecar's file names. `advertised`: "" if it is where it listens;
    `certificates`: the folder of them all. `mark`: by which a host's kernel knows sidecars, or 0.
    """

    host: str
    app: str
    advertised: str
    registry_url: str
    secret: Path
    certificates: Path
    mark: int = 0

    def of(self, service: str, instance: str) -> dict[str, Any]:
        """The values that belong into the file of this service's sidecar, table by table."""
        files = {"certificate": f"{service}.pem", "key": f"{service}.key"}
        files["authority"] = "authority.pem"
        return {
            "instance": instance,
            "app": self.app,
            "mark": self.mark,
            "inbound": {"listen": f"http://{self.host}:0", "advertise": self.advertised},
            "registry": {"url": self.registry_url, "secret": str(self.secret)},
            "tls": {key: str(self.certificates / file) for key, file in files.items()},
        }


class Beside:
    """The sidecar of one instance: its file, its role, and the proxy that this role looks after."""

    def __init__(self, setting: Setting, instance: str, places: Places) -> None:
        """`instance`: whom it stands beside."""
        self.name = instance + SUFFIX
        self._setting = setting
        self._path = setting.directory / f"{self.name}.toml"
        service = instance.partition("-")[0]
        written = (setting.era.folder / f"{service}.toml").read_text()
        self._table = _overlaid(tomllib.loads(written), places.of(service, instance))
        if self.has_outbound:
            self._table["outbound"]["listen"] = ANY_PORT

    @property
    def has_outbound(self) -> bool:
        """Whether its service calls others."""
        return "outbound" in self._table

    def role(self, host: Host | None, variant: Variant | None) -> Role:
        """Its supervisor, not started yet; the file is written."""
        self._write()
        bought = self._setting.proxy
        asked = ["bought", "--program", bought] if bought else ["sidecar"]
        asked += ["--config", str(self._path)]
        return self._setting.role(self.name, asked, host, variant)

    def stay_at(self, listens: Mapping[str, str]) -> None:
        """Where it found free ports it listens again when it starts again."""
        self._table["inbound"]["listen"] = listens["inbound"]
        self._table["admin_listen"] = listens["admin"]
        if self.has_outbound:
            self._table["outbound"]["listen"] = listens["outbound"]

    def set(self, key: str, value: object) -> None:
        """Write another value. A key is as in the file, or as era 4's configuration names it:
        `retry.attempts` is of how a service asks, for one that asks nobody how it is asked.
        """
        *path, last = self._full(key)
        table = self._table
        for name in path:
            table = table.setdefault(name, {})
        table[last] = value
        self._write()

    def _full(self, key: str) -> list[str]:
        names = key.split(".")
        if names[0] in OF_THE_FILE:
            return names
        if not self.has_outbound:
            return ["inbound", *names]
        (callee,) = self._table["outbound"]["services"]
        return ["outbound", "services", callee, "client", *names]

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(toml_of(self._table))
        os.replace(fresh, self._path)  # whoever reads it now reads it whole


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


def _overlaid(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The table with what is in `over` instead, at whatever depth."""
    both = dict(table)
    for key, value in over.items():
        inner = both.get(key)
        is_table = isinstance(inner, Mapping) and isinstance(value, Mapping)
        both[key] = _overlaid(inner, value) if is_table else value  # type: ignore[arg-type]
    return both


def require_proxy(era: Era, name: str) -> None:
    """Raises ValueError if this proxy cannot be bought, or is not installed; "" is the era's."""
    if not name:
        return
    if not era.has_sidecars:
        raise ValueError(f"proxy {name!r}: era {era.number} has no sidecars, era 5 has")
    bought = importlib.import_module(f"{era.package}.bought")
    bought.language(name)
    try:
        bought.find(name)
    except OSError as missing:
        raise ValueError(str(missing)) from missing


def make_certificates(setting: Setting, folder: Path, services: Sequence[str]) -> None:
    """An authority, and a key and a certificate of each service, by the era's own means."""
    importlib.import_module(f"{setting.era.package}.certificates").main(folder, services)
