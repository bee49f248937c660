"""Era 5's company: a registry that knows who is there, and a file of policies beside each service.

The era has a file for each of its services, as `inventory.toml`: its policies. Where things are on
this stage is written into a copy, which is the sidecar's own from then on.
"""

from __future__ import annotations

import importlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.cast.beside import ANY_PORT, SUFFIX, overlaid
from lab.cast.company import Places
from lab.cast.registrar import registry_options
from lab.cast.setting import Setting, Variant
from lab.cast.toml import toml_of
from lab.launch import Role
from lab.wire.divert import port_of
from lab.wire.namespaces import Host

SERVICES = ("orders", "inventory")
OF_THE_FILE = {"inbound", "outbound", "registry", "tls", "limits", "log", "supervisor"}
OF_THE_FILE |= {"app", "mark", "release"}  # what a key in the file begins with


class Registered:
    """A registry, and certificates that were made once and by hand."""

    ruler = "registry"
    knows_callers = False

    def __init__(self, setting: Setting) -> None:
        self.secret = setting.new_secret()
        self._setting = setting
        self._certificates = setting.directory / "certificates"
        self._certificates.mkdir(mode=0o700, exist_ok=True)
        self.hidden: Sequence[Path] = [self._certificates, self.secret]
        self._url = ""

    def command(self, listens: Mapping[str, str], host: str) -> list[str]:
        listen = listens.get("registry", f"http://{host}:0")
        options = registry_options(self.secret, self._setting.form == "real")
        return ["registry", "--listen", listen, *options]

    def meet(self, ruler: Role) -> dict[str, str]:
        if not self._url:
            make_certificates(self._setting, self._certificates, SERVICES)
        self._url = ruler.address
        return {"registry": self._url}

    def beside(self, instance: str, places: Places) -> Sidecar:
        service = instance.partition("-")[0]
        files = {"certificate": f"{service}.pem", "key": f"{service}.key"}
        files["authority"] = "authority.pem"
        told = {
            "instance": instance,
            "app": places.app,
            "mark": places.mark,
            "inbound": {"listen": f"http://{places.host}:0", "advertise": places.advertised},
            "registry": {"url": self._url, "secret": str(self.secret)},
            "tls": {key: str(self._certificates / file) for key, file in files.items()},
        }
        return Sidecar(self._setting, instance, service, told)

    def gather(self, instances: Sequence[str]) -> None:
        """Its sidecars are ready when they are registered, and orders' when it has asked."""

    def ports(self) -> list[int]:
        return [port_of(self._url)]


class Sidecar:
    """The sidecar of one instance: its file, its role, and the proxy that this role looks after."""

    def __init__(
        self, setting: Setting, instance: str, service: str, told: Mapping[str, Any]
    ) -> None:
        """`instance`: whom it stands beside. `told`: where everything is."""
        self.names: Sequence[str] = (instance + SUFFIX,)
        self._setting = setting
        self._path = setting.directory / f"{self.names[0]}.toml"
        written = (setting.era.folder / f"{service}.toml").read_text()
        self._table = overlaid(tomllib.loads(written), told)
        if "outbound" in self._table:
            self._table["outbound"]["listen"] = ANY_PORT

    def roles(self, host: Host | None, variants: Mapping[str, Variant]) -> list[Role]:
        """Its supervisor, not started yet; the file is written."""
        self._write()
        bought = self._setting.proxy
        asked = ["bought", "--program", bought] if bought else ["sidecar"]
        asked += ["--config", str(self._path)]
        (name,) = self.names
        return [self._setting.role(name, asked, host, variants.get(name))]

    def stay_at(self, listens: Mapping[str, str]) -> None:
        self._table["inbound"]["listen"] = listens["inbound"]
        self._table["admin_listen"] = listens["admin"]
        if "outbound" in self._table:
            self._table["outbound"]["listen"] = listens["outbound"]

    def set(self, key: str, value: object) -> bool:
        """A key is as in the file, or as era 4's configuration names it: `retry.attempts` is of how
        a service asks, for one that asks nobody how it is asked.
        """
        *path, last = self._full(key)
        table = self._table
        for name in path:
            table = table.setdefault(name, {})
        table[last] = value
        self._write()
        return True

    def _full(self, key: str) -> list[str]:
        names = key.split(".")
        if names[0] in OF_THE_FILE:
            return names
        if "outbound" not in self._table:
            return ["inbound", *names]
        (callee,) = self._table["outbound"]["services"]
        return ["outbound", "services", callee, "client", *names]

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(toml_of(self._table))
        os.replace(fresh, self._path)  # whoever reads it now reads it whole


def make_certificates(setting: Setting, folder: Path, services: Sequence[str]) -> None:
    """An authority, and a key and a certificate of each service, by the era's own means."""
    importlib.import_module(f"{setting.era.package}.certificates").main(folder, services)
