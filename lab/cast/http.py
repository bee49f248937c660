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

import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.cast.owners import Owners
from lab.cast.registrar import run_registrar
from lab.cast.setting import Setting, Variant, keep_address
from lab.find import child_environment
from lab.launch import Role
from lab.trace import Event
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess

NETWORK = "10.7.0.0/24"  # of the real wire's hosts
HEAD_BYTES = 600  # of a segment, in traces: the headers of a request, and what it is about
DOOR = Path(__file__).with_name("door.py")


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
        self._door: Role | None = None
        self._is_real = setting.form == "real"
        self._advertised: dict[str, str] = {}  # form portable: where the relay listens for whom
        self._owners = Owners()
        self.roles: dict[str, Role] = {}
        self.secret = setting.directory / "secret"
        self.secret.touch(mode=0o600)
        self.secret.chmod(0o600)  # also where a folder is used again
        self.secret.write_text(secrets.token_hex(32))
        setting.ends.callback(self._stop)
        if not self._is_real:
            self._begin("registry")  # while the relay starts
        self.wire = setting.ends.enter_context(setting.lay_wire(HEAD_BYTES))
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
        if self._is_real:
            raise ValueError("on a real wire all instances share one path: take form portable")
        if name not in self.instances:
            raise ValueError(f"instance {name!r}: accepted are {', '.join(self.instances)}")
        return self.wire.path(name)

    def add(self, name: str) -> str:
        """Start one more instance; its name."""
        known = self.roles
        fresh = (f"inventory-{n}" for n in range(1, len(known) + 2))
        name = name or next(each for each in fresh if each not in known)
        if name in known:
            raise ValueError(f"instance {name!r}: accepted is a name that none has had yet")
        self._launch([name])
        return name

    def move(self, name: str) -> None:
        """It dies here, without a word, and starts at another address."""
        if name not in self.instances:
            raise ValueError(f"instance {name!r}: accepted are {', '.join(self.instances)}")
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
        is_nameless = self._is_real and event.process == "wire"
        return self._owners.name_ends(event) if is_nameless else event

    def _launch(self, names: Sequence[str]) -> None:
        """Start these at once, each where a port is free, and wait until all are ready."""
        for name in names:
            self._begin(name)
        for name in names:
            self._wait_ready(name)

    def _begin(self, name: str) -> None:
        if name not in ("registry", "orders") and not self._is_real:
            self._advertised[name] = self.wire.open_path(name).replace("tcp:", "http:")
        host = "127.0.0.1" if name == "orders" else self._setting.inventory_host
        self.roles[name] = self._role(name, f"http://{host}:0")
        self.roles[name].begin()

    def _role(self, name: str, listen: str) -> Role:
        options = ["--listen", listen, "--secret", str(self.secret)]
        if name == "registry":
            asked = ["registry", *options, *(["--network", NETWORK] if self._is_real else [])]
            return self._setting.role(name, asked, self._host(name), self._variants.get(name))
        options += ["--registry", self.registry_url, "--store", str(self._setting.store(name))]
        advertised = self._advertised.get(name)
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
            self._open_door(address)
            return
        self._owners.learn(address, name)
        if name in self._advertised:
            self.wire.path(name).forward_to(address.replace("http:", "tcp:"))
            self.wire.path(name).reopen_path()
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
        url = self._advertised.get(name, role.address)
        run_registrar(inside, self.registry_url, self.secret, name, url)

    def _host(self, name: str) -> Host | None:
        if not self._is_real:
            return None
        return self.wire.orders if name == "orders" else self.wire.inventory

    def _open_door(self, address: str) -> None:
        """On a real wire orders listens where only its own host can reach it."""
        if self._is_real:
            self._refuse("orders")
            argv = [sys.executable, "-I", "-S", str(DOOR), str(self._socket), address]
            self._door = self._setting.process("door", argv, self.wire.orders, child_environment())
            self._door.start()

    def _refuse(self, name: str) -> None:
        """Nobody is there: let whatever listens in its place, door or relay, refuse connections."""
        if name in self._advertised:
            self.wire.path(name).close_path()
        if name == "orders" and self._door:
            self._door.kill()
            self._socket.unlink(missing_ok=True)
            self._door = None

    def _stop(self) -> None:
        if self._door:
            self._door.stop()
        for role in reversed(self.roles.values()):  # orders first: it asks the others
            role.ask_to_stop()
        for role in self.roles.values():
            role.stop()
