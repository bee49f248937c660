"""Services and what stands beside each: how they are started, and who must be told where they are.

The registry first, whose address is in every sidecar's file; a sidecar tells where it listens
before it is ready; orders is told where its sidecar is, by `http_proxy`, and nobody else anything.
Where they are transparent (diverted.py) not even orders is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.cast.beside import SUFFIX, Beside, Places, make_certificates
from lab.cast.crew import Crew
from lab.cast.diverted import Diverted
from lab.cast.entrance import Entrance
from lab.cast.paths import Paths
from lab.cast.registrar import registry_options
from lab.cast.setting import Setting, Variant
from lab.launch import Role
from lab.wire.divert import MARK
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess

LOOPBACK = "127.0.0.1"


class Pairs:
    """The registry, and pairs of a service and its sidecar. `join` a wire before the first pair."""

    def __init__(self, setting: Setting, variants: Mapping[str, Variant], socket: Path) -> None:
        """`socket`: see `MeshCast`."""
        self.crew = Crew()
        self.roles = self.crew.roles
        self.variants = dict(variants)
        self.beside: dict[str, Beside] = {}  # by the instance that they stand beside
        self.secret = setting.new_secret()
        self.entrance = Entrance(setting, socket)
        self.paths: Paths
        self._wire: WireProcess
        self._diverted: Diverted | None = None
        self._setting = setting
        self._socket = socket
        self._is_real = setting.form == "real"
        self._certificates = setting.directory / "certificates"
        self._outbound = ""  # http_proxy of orders

    def join(self, wire: WireProcess) -> None:
        """This wire lies between orders' sidecar and the others. Raises HostError."""
        self._wire = wire
        self.paths = Paths(wire, self._is_real)
        if self._setting.is_transparent:
            self._diverted = Diverted(self._setting, wire, self._certificates)

    def make_certificates(self) -> None:
        """Of all services: once."""
        make_certificates(self._setting, self._certificates, ["orders", "inventory"])

    def begin_services(self, names: Sequence[str]) -> None:
        """All but orders, which must be told where its sidecar is: the sidecars begin it."""
        for name in names:
            if name != "orders":
                self.crew.begin(self.service(name))

    def begin_sidecars(self, names: Sequence[str]) -> None:
        """Of new instances, each where ports are free."""
        for name in names:
            if name != "orders":
                self.paths.open(name)
            self.beside[name] = Beside(self._setting, name, self._places(name))
            self._begin_sidecar(name)
        for name in names:
            self._learn(name)

    def restart_sidecar(self, instance: str) -> None:
        """Where it was."""
        self._begin_sidecar(instance)
        self._learn(instance)

    def service(self, name: str) -> Role:
        """A service, or the registry, not started yet."""
        variant = self.variants.get(name) or Variant()
        if name == "registry":
            known = self.roles.get(name)  # where it was it starts again
            listen = known.address if known else f"http://{self._setting.inventory_host}:0"
            options = registry_options(self.secret, self._is_real)
            asked = ["registry", "--listen", listen, *options]
            return self._setting.role(name, asked, self._host(name), variant)
        asked = ["--listen", self._address_of(name), "--store", str(self._setting.store(name))]
        if self._diverted:
            variant = self._diverted.service(variant, self._socket.with_name(name))
        elif name == "orders":
            proxy = {"http_proxy": self._outbound, "no_proxy": "", "NO_PROXY": ""}
            variant = replace(variant, environment={**variant.environment, **proxy})
        if name == "orders":
            return self._setting.role(name, ["orders", *asked], self._host(name), variant)
        service = ["inventory", "--name", name, *self._setting.goods]
        return self._setting.role(name, [*service, *asked], self._host(name), variant)

    def refuse(self, name: str) -> None:
        """Nobody is there: let whatever listens in its place, door or relay, refuse connections."""
        instance = name.removesuffix(SUFFIX)
        self.paths.close(instance)
        if instance == "orders":
            self.entrance.close()

    def stop(self) -> None:
        """End all. May be called twice."""
        self.entrance.stop()
        self.crew.stop()

    def _begin_sidecar(self, instance: str) -> None:
        beside = self.beside[instance]
        variant = self.variants.get(beside.name) or Variant()
        if self._diverted:
            variant = self._diverted.sidecar(variant)
        self.crew.begin(beside.role(self._host(instance), variant))

    def _learn(self, instance: str) -> None:
        """Where its sidecar listens, and tell whoever must know."""
        listens = self.roles[instance + SUFFIX].wait_listens()
        self.beside[instance].stay_at(listens)
        if self._diverted:
            self._diverted.open(instance, listens, self.roles["registry"].address)
        if instance != "orders":
            self.paths.lead_to(instance, listens["inbound"])
            return
        self._outbound = listens["outbound"]
        self.entrance.open(listens["inbound"], self._host(instance))
        if instance not in self.roles:
            self.crew.begin(self.service(instance))

    def _places(self, name: str) -> Places:
        return Places(
            host=LOOPBACK if name == "orders" else self._setting.inventory_host,
            app=self._address_of(name),
            advertised=self.paths.advertised(name),
            registry_url=self.roles["registry"].address,
            secret=self.secret,
            certificates=self._certificates,
            mark=MARK if self._setting.is_transparent else 0,
        )

    def _address_of(self, service: str) -> str:
        """A file, which only we can open, also from another network namespace."""
        path = self._socket.with_name(service)
        return f"unix:{path}/app.sock" if self._setting.is_transparent else f"unix:{path}.sock"

    def _host(self, instance: str) -> Host | None:
        if not self._is_real:
            return None
        return self._wire.orders if instance == "orders" else self._wire.inventory
