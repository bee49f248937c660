"""Services and what stands beside each: how they are started, and who must be told where they are.

The ruler first (a registry, or a control plane), whose address is in every sidecar's file; a
sidecar tells where it listens before it is ready; orders is told where its sidecar is, by
`http_proxy`, and nobody else anything. Where they are transparent (diverted.py) not even orders is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.cast.beside import SUFFIX
from lab.cast.company import Beside, Company, Places
from lab.cast.crew import Crew
from lab.cast.diverted import Diverted
from lab.cast.entrance import Entrance
from lab.cast.paths import Paths
from lab.cast.registered import Registered
from lab.cast.ruled import Ruled
from lab.cast.setting import Setting, Variant
from lab.launch import Role
from lab.wire.divert import MARK
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess

LOOPBACK = "127.0.0.1"


class Pairs:
    """The ruler, and pairs of a service and its sidecar. `join` a wire before the first pair."""

    def __init__(self, setting: Setting, variants: Mapping[str, Variant], socket: Path) -> None:
        """`socket`: see `MeshCast`."""
        self.crew = Crew()
        self.roles = self.crew.roles
        self.variants = dict(variants)
        self.beside: dict[str, Beside] = {}  # by the instance that they stand beside
        self.company: Company = company_for(setting)
        self.entrance = Entrance(setting, socket)
        self.paths: Paths
        self._wire: WireProcess
        self._diverted: Diverted | None = None
        self._setting = setting
        self._socket = socket
        self._is_real = setting.form == "real"
        self._ruler: dict[str, str] = {}  # where it listens, by name
        self.outbound = ""  # http_proxy of orders

    def join(self, wire: WireProcess) -> None:
        """This wire lies between orders' sidecar and the others. Raises HostError."""
        self._wire = wire
        self.paths = Paths(wire, self._is_real)
        if self._setting.is_transparent:
            self._diverted = Diverted(self._setting, wire, self.company.hidden)

    def begin_ruler(self) -> None:
        """Start it, where it was if it has been there before."""
        name = self.company.ruler
        options = self.company.command(self._ruler, self._setting.inventory_host)
        variant = self.variants.get(name)
        self.crew.begin(self._setting.role(name, options, self._host(name), variant))

    def meet_ruler(self) -> None:
        """Wait until it is ready."""
        name = self.company.ruler
        self.crew.wait_ready(name)
        is_new = not self._ruler
        self._ruler = self.company.meet(self.roles[name])
        if self._diverted and is_new:
            self._diverted.let_to(self.company.ports(), self.company.knows_callers)

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
            self.beside[name] = self.company.beside(name, self._places(name))
            self._begin_beside(name)
        for name in names:
            self._learn(name)

    def restart_beside(self, instance: str) -> None:
        """Where it was, as far as it does not run."""
        if instance + SUFFIX in self._begin_beside(instance):
            self._learn(instance)

    def names_beside(self, name: str) -> Sequence[str]:
        """Of a service's name: who stands there, in the order in which they take leave."""
        return self.beside[name].names if name in self.beside else ()

    def kill_beside(self, instance: str) -> None:
        """kill -9 of all that stands beside it."""
        for name in self.beside[instance].names:
            self.roles[name].kill()

    def service(self, name: str) -> Role:
        """A service, not started yet."""
        variant = self.variants.get(name) or Variant()
        asked = ["--listen", self._address_of(name), "--store", str(self._setting.store(name))]
        if self._diverted:
            variant = self._diverted.service(variant, self._socket.with_name(name))
        elif name == "orders":
            proxy = {"http_proxy": self.outbound, "no_proxy": "", "NO_PROXY": ""}
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

    def _begin_beside(self, instance: str) -> list[str]:
        """Whoever does not run; their names."""
        beside = self.beside[instance]
        variants = {name: self.variants.get(name) or Variant() for name in beside.names}
        sidecar = instance + SUFFIX
        if self._diverted:
            variants[sidecar] = self._diverted.sidecar(variants[sidecar])
        roles = beside.roles(self._host(instance), variants)
        begun = [role for role in roles if not self.crew.is_running(role.name)]
        for role in begun:
            self.crew.begin(role)
        return [role.name for role in begun]

    def _learn(self, instance: str) -> None:
        """Where its sidecar listens, and tell whoever must know."""
        listens = self.roles[instance + SUFFIX].wait_listens()
        self.beside[instance].stay_at(listens)
        if self._diverted:
            self._diverted.open(instance, listens)
        if instance != "orders":
            self.paths.lead_to(instance, listens["inbound"])
            return
        self.outbound = listens["outbound"]
        self.entrance.open(listens["inbound"], self._host(instance))
        if instance not in self.roles:
            self.crew.begin(self.service(instance))

    def _places(self, name: str) -> Places:
        return Places(
            host=LOOPBACK if name == "orders" else self._setting.inventory_host,
            app=self._address_of(name),
            advertised=self.paths.advertised(name),
            mark=MARK if self._setting.is_transparent else 0,
            version=self._setting.version_of(name),
        )

    def _address_of(self, service: str) -> str:
        """A file, which only we can open, also from another network namespace."""
        path = self._socket.with_name(service)
        return f"unix:{path}/app.sock" if self._setting.is_transparent else f"unix:{path}.sock"

    def _host(self, instance: str) -> Host | None:
        if not self._is_real:
            return None
        return self._wire.orders if instance == "orders" else self._wire.inventory


def company_for(setting: Setting) -> Company:
    """Who rules in this era."""
    return Ruled(setting) if setting.era.has_control_plane else Registered(setting)
