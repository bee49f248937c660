"""The cast of eras 3 to 6: a registry, any number of inventories, and orders, all at URLs.

form portable

    customers ── http ──▶ orders ◀── the list ── registry
                            ┊                       ▲
                            ┊ a path for each       │ register
                            ▼                       │
                          relay ┄┄┄▶ inventory-1, inventory-2, ...

form real: the registry and all instances live at inventory's address, a port each

    customers ── Unix socket ──▶ door ──▶ orders ┄┄ one wire ┄┄ registry, inventory-1, ...
                                 └──── 10.7.0.1 ──┘             └───── 10.7.0.2 ─────┘

On the portable wire an inventory listens at one address and registers another, at which the relay
listens for it. Both keep theirs over a restart, and get others when the instance moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.cast.entrance import Entrance
from lab.cast.paths import Paths, new_instance, require_one_of
from lab.cast.registrar import registry_options, run_registrar
from lab.cast.setting import Setting, Variant, keep_address
from lab.launch import Role
from lab.trace import Event
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess

HEAD_BYTES = 600  # of a segment, in traces: the headers of a request, and what it is about


class HttpCast:
    """All services, started; ended by the setting's `ends`."""

    def __init__(
        self, setting: Setting, instances: int, variants: Mapping[str, Variant], socket: Path
    ) -> None:
        """`socket`: where customers come in on a real wire. Raises HostError, RoleFailed,
        ValueError if there is nothing to capture.
        """
        self._setting = setting
        self._variants = dict(variants)
        self._socket = socket
        self._is_real = setting.form == "real"
        self._entrance = Entrance(setting, socket)
        self.roles: dict[str, Role] = {}
        self.secret = setting.new_secret()
        setting.ends.callback(self._stop)
        if not self._is_real:
            self._begin("registry")  # while the relay starts
        self.wire = setting.ends.enter_context(setting.lay_wire(HEAD_BYTES))
        self._paths = Paths(self.wire, self._is_real)
        setting.ends.callback(self._stop)  # so that all end before the wire does

        if self._is_real:
            self._begin("registry")
        self._wait_ready("registry")
        self._launch([f"inventory-{number}" for number in range(1, instances + 1)])
        self._launch(["orders"])

    @property
    def url(self) -> str:
        """Where customers are served, for `lab.doors.customer_at`."""
        return f"http+unix:{self._socket}" if self._is_real else self.roles["orders"].address

    @property
    def registry_url(self) -> str:
        return self.roles["registry"].address

    @property
    def instances(self) -> list[str]:
        """The roles that own the stock, dead or alive."""
        return [name for name in self.roles if name not in ("registry", "orders")]

    def wire_of(self, name: str) -> WireProcess:
        """The wire, its verbs meant for one instance's path. ValueError if it is not to be had."""
        return self._paths.wire_of(name, self.instances)

    def add(self, name: str) -> str:
        """Start one more instance; its name."""
        name = new_instance(name, list(self.roles))
        self._launch([name])
        return name

    def move(self, name: str) -> None:
        """It dies here, without a word, and starts at another address."""
        require_one_of(self.instances, name)
        self.kill(name)
        self._launch([name])

    def kill(self, name: str) -> None:
        """kill -9."""
        self._refuse(name)
        self.roles[name].kill()

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code of the service."""
        code = self.roles[name].terminate()
        self._refuse(name)
        return code

    def restart(self, name: str, variant: Variant | None) -> None:
        """Start it again where it was; kill it first if it still runs."""
        self.kill(name)
        old = self.roles[name]
        if variant:
            self._variants[name] = variant
            self.roles[name] = self._role(name, old.address)
            self.roles[name].address = old.address
        self.roles[name].begin()
        self._wait_ready(name)

    def name_ends(self, event: Event) -> Event:
        """With the name of the instance where a real wire says inventory."""
        return self._paths.name_ends(event)

    def _launch(self, names: Sequence[str]) -> None:
        """Start these at once, each where a port is free, and wait until all are ready."""
        for name in names:
            self._begin(name)
        for name in names:
            self._wait_ready(name)

    def _begin(self, name: str) -> None:
        if name not in ("registry", "orders"):
            self._paths.open(name)
        host = "127.0.0.1" if name == "orders" else self._setting.inventory_host
        self.roles[name] = self._role(name, f"http://{host}:0")
        self.roles[name].begin()

    def _role(self, name: str, listen: str) -> Role:
        if name == "registry":
            asked = ["registry", "--listen", listen, *registry_options(self.secret, self._is_real)]
            return self._setting.role(name, asked, self._host(name), self._variants.get(name))
        options = ["--listen", listen, "--secret", str(self.secret)]
        options += ["--registry", self.registry_url, "--store", str(self._setting.store(name))]
        advertised = self._paths.advertised(name)
        if advertised:
            options += ["--advertise", advertised]
        service = ["inventory", "--name", name, *self._setting.goods]
        asked = [*(["orders"] if name == "orders" else service), *options]
        return self._setting.role(name, asked, self._host(name), self._variants.get(name))

    def _wait_ready(self, name: str) -> None:
        """Wait, and then tell whoever must know where it is."""
        role = self.roles[name]
        address = role.wait_ready()
        keep_address(role)
        if name == "orders":
            self._entrance.open(address, self._host(name))
            return
        self._paths.lead_to(name, address)
        for each in self.instances if name == "registry" else [name]:
            self._register(each)

    def _register(self, name: str) -> None:
        """Do it in the place of an instance that runs and cannot do it itself."""
        variant = self._variants.get(name)
        role = self.roles[name]
        if variant is None or variant.registers or not role.is_running:
            return
        host = self._host(name)
        inside = host.argv_prefix() if host else []
        url = self._paths.advertised(name) or role.address
        run_registrar(inside, self.registry_url, self.secret, name, url)

    def _host(self, name: str) -> Host | None:
        if not self._is_real:
            return None
        return self.wire.orders if name == "orders" else self.wire.inventory

    def _refuse(self, name: str) -> None:
        """Nobody is there: let whatever listens in its place, door or relay, refuse connections."""
        self._paths.close(name)
        if name == "orders":
            self._entrance.close()

    def _stop(self) -> None:
        self._entrance.stop()
        for role in reversed(self.roles.values()):  # orders first: it asks the others
            role.ask_to_stop()
        for role in self.roles.values():
            role.stop()
