"""The cast of eras 5 and 6: each service has a sidecar beside it, and no other way out or in.

form portable

    customers ── http ──▶ orders-sidecar ── Unix socket ──▶ orders
                            ┊        ▲                        │
                            ┊        └─────── http_proxy ─────┘
                            ┊ a path of the relay for each
                            ▼
                 inventory-1-sidecar, ... ── Unix socket ──▶ inventory-1, ...

form real: on the left of the wire what is above it here, on the right what is below; the registry,
which only sidecars know, is on the right in both.

`kill inventory-1` is of the service, its sidecar stays and knows. `kill inventory-1-sidecar` is of
the proxy, and the supervisor starts another one; `crash` is of all that would, too.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.cast.beside import (
    SUFFIX,
    Beside,
    Places,
    kill_proxy,
    make_certificates,
    upgrade_proxy,
)
from lab.cast.crew import Crew
from lab.cast.entrance import Entrance
from lab.cast.http import HEAD_BYTES
from lab.cast.paths import Paths, new_instance, require_one_of
from lab.cast.registrar import registry_options
from lab.cast.setting import Setting, Variant
from lab.launch import Role
from lab.trace import Event
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess


class MeshCast:
    """All services and sidecars, started; ended by the setting's `ends`."""

    def __init__(
        self, setting: Setting, instances: int, variants: Mapping[str, Variant], socket: Path
    ) -> None:
        """`socket`: where customers come in on a real wire; its folder has a short name, and the
        services' own sockets lie there. Raises HostError, RoleFailed, ValueError if there is
        nothing to capture.
        """
        self._setting = setting
        self._variants = dict(variants)
        self._socket = socket
        self._is_real = setting.form == "real"
        self._entrance = Entrance(setting, socket)
        self._beside: dict[str, Beside] = {}  # by the instance that they stand beside
        self._crew = Crew()
        self.roles = self._crew.roles
        self.secret = setting.new_secret()
        self._outbound = ""  # http_proxy of orders
        self._certificates = setting.directory / "certificates"
        names = [f"inventory-{number}" for number in range(1, instances + 1)]
        setting.ends.callback(self._stop)
        if not self._is_real:
            self._begin_services(names)  # while the relay starts
        make_certificates(setting, self._certificates, ["orders", "inventory"])
        self.wire = setting.ends.enter_context(setting.lay_wire(HEAD_BYTES))
        self._paths = Paths(self.wire, self._is_real)
        setting.ends.callback(self._stop)  # so that all end before the wire does

        if self._is_real:
            self._begin_services(names)
        self._crew.wait_ready("registry")
        self._begin_sidecars(names)
        self._crew.wait_ready()
        self._launch("orders")

    @property
    def url(self) -> str:
        """Where customers are served, for `lab.doors.customer_at`."""
        edge = self.roles["orders" + SUFFIX].address
        return f"http+unix:{self._socket}" if self._is_real else edge

    @property
    def registry_url(self) -> str:
        return self.roles["registry"].address

    @property
    def instances(self) -> list[str]:
        """The roles that own the stock, dead or alive."""
        services = [name for name in self.roles if not name.endswith(SUFFIX)]
        return [name for name in services if name not in ("registry", "orders")]

    def wire_of(self, name: str) -> WireProcess:
        """The wire, its verbs meant for one instance's path. ValueError if it is not to be had."""
        return self._paths.wire_of(name, self.instances)

    def add(self, name: str) -> str:
        """Start one more instance and its sidecar; its name."""
        name = new_instance(name, list(self.roles))
        self._launch(name)
        return name

    def move(self, name: str) -> None:
        """It dies here with its sidecar, without a word, and starts at another address."""
        require_one_of(self.instances, name)
        self.crash(name)
        self._launch(name)

    def kill(self, name: str) -> None:
        """kill -9 of a service, or of the proxy of a sidecar."""
        if name.endswith(SUFFIX):
            kill_proxy(self.roles[name])
            return
        self.roles[name].kill()

    def crash(self, name: str) -> None:
        """kill -9 of a service with its sidecar, or of a sidecar with who starts its proxy."""
        self.roles[name].kill()
        if self._crew.is_running(name + SUFFIX):
            self.roles[name + SUFFIX].kill()
        self._refuse(name)

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code. Before a service its sidecar, which sees its callers off."""
        if self._crew.is_running(name + SUFFIX):
            self.roles[name + SUFFIX].terminate()
        code = self.roles[name].terminate()
        self._refuse(name)
        return code

    def restart(self, name: str, variant: Variant | None) -> None:
        """Start it again where it was; kill it first if it still runs. With a service its sidecar,
        if that does not run.
        """
        if variant:
            self._variants[name] = variant
        self.roles[name].kill()
        instance = name.removesuffix(SUFFIX)
        if name == instance:
            self._crew.begin(self._service(name))
        if name != instance or (name != "registry" and not self._crew.is_running(name + SUFFIX)):
            self._begin_sidecar(instance)
            self._learn(instance)
        self._crew.wait_ready()

    def reload(self, name: str) -> None:
        """SIGHUP: the sidecar, or the one of this service, reads its file again."""
        self.roles[self._sidecar_of(name)].signal(signal.SIGHUP)

    def change_policy(self, name: str, key: str, value: object) -> None:
        """Write it into the sidecar's file, and have that read again."""
        sidecar = self._sidecar_of(name)
        self._beside[sidecar.removesuffix(SUFFIX)].set(key, value)
        self.reload(sidecar)

    def upgrade(self, name: str, release: Path | None) -> None:
        """SIGUSR2: another proxy, of this release if one is given, takes over from the running
        one. Raises RoleFailed if it does not.
        """
        sidecar = self._sidecar_of(name)
        if release:
            self._beside[sidecar.removesuffix(SUFFIX)].set("release", str(release.resolve()))
        upgrade_proxy(self.roles[sidecar])

    def name_ends(self, event: Event) -> Event:
        """With the name of the instance where a real wire says inventory."""
        return self._paths.name_ends(event)

    def _launch(self, name: str) -> None:
        """Start one with its sidecar, and wait until both are ready."""
        if name != "orders":  # that one must be told where its sidecar is
            self._crew.begin(self._service(name))
        self._begin_sidecars([name])
        self._crew.wait_ready()

    def _begin_services(self, names: Sequence[str]) -> None:
        """And the registry, which all sidecars must be told of."""
        for name in ("registry", *names):
            self._crew.begin(self._service(name))

    def _service(self, name: str) -> Role:
        variant = self._variants.get(name) or Variant()
        if name == "registry":
            known = self.roles.get(name)  # where it was it starts again
            listen = known.address if known else f"http://{self._setting.inventory_host}:0"
            options = registry_options(self.secret, self._is_real)
            asked = ["registry", "--listen", listen, *options]
            return self._setting.role(name, asked, self._host(name), variant)
        asked = ["--listen", self._address_of(name), "--store", str(self._setting.store(name))]
        if name == "orders":
            proxy = {"http_proxy": self._outbound, "no_proxy": "", "NO_PROXY": ""}
            variant = replace(variant, environment={**variant.environment, **proxy})
            return self._setting.role(name, ["orders", *asked], self._host(name), variant)
        service = ["inventory", "--name", name, *self._setting.goods]
        return self._setting.role(name, [*service, *asked], self._host(name), variant)

    def _begin_sidecars(self, names: Sequence[str]) -> None:
        """Of new instances, each where ports are free."""
        for name in names:
            if name != "orders":
                self._paths.open(name)
            places = Places(
                "127.0.0.1" if name == "orders" else self._setting.inventory_host,
                self._address_of(name),
                self._paths.advertised(name),
                self.registry_url,
                self.secret,
                self._certificates,
            )
            self._beside[name] = Beside(self._setting, name, places)
            self._begin_sidecar(name)
        for name in names:
            self._learn(name)

    def _begin_sidecar(self, instance: str) -> None:
        beside = self._beside[instance]
        variant = self._variants.get(beside.name)
        self._crew.begin(beside.role(self._host(instance), variant))

    def _learn(self, instance: str) -> None:
        """Where its sidecar listens, and tell whoever must know."""
        listens = self.roles[instance + SUFFIX].wait_listens()
        self._beside[instance].stay_at(listens)
        if instance != "orders":
            self._paths.lead_to(instance, listens["inbound"])
            return
        self._outbound = listens["outbound"]
        self._entrance.open(listens["inbound"], self._host(instance))
        if instance not in self.roles:
            self._crew.begin(self._service(instance))

    def _address_of(self, service: str) -> str:
        """A file, which only we can open, also from another network namespace."""
        return f"unix:{self._socket.with_name(service)}.sock"

    def _sidecar_of(self, name: str) -> str:
        sidecar = name.removesuffix(SUFFIX) + SUFFIX
        if sidecar not in self.roles:
            raise ValueError(f"{name} has no sidecar")
        return sidecar

    def _host(self, instance: str) -> Host | None:
        if not self._is_real:
            return None
        return self.wire.orders if instance == "orders" else self.wire.inventory

    def _refuse(self, name: str) -> None:
        """Nobody is there: let whatever listens in its place, door or relay, refuse connections."""
        instance = name.removesuffix(SUFFIX)
        self._paths.close(instance)
        if instance == "orders":
            self._entrance.close()

    def _stop(self) -> None:
        self._entrance.stop()
        self._crew.stop()
