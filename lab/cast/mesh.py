"""The cast of eras 5 and 6: each service has a sidecar beside it, and no other way out or in.

form portable

    customers ── http ──▶ orders-sidecar ── Unix socket ──▶ orders
                            ┊        ▲                        │
                            ┊        └─────── http_proxy ─────┘
                            ┊ a path of the relay for each
                            ▼
                 inventory-1-sidecar, ... ── Unix socket ──▶ inventory-1, ...

form real: on the left of the wire what is above it here, on the right what is below; the ruler, a
registry or a control plane, which only sidecars know, is on the right in both.

`kill inventory-1` is of the service, its sidecar stays and knows. `kill inventory-1-sidecar` is of
the proxy, and the supervisor starts another one; `crash` is of all that would, too.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from lab.cast.beside import SUFFIX, Hearing, kill_proxy, upgrade_proxy
from lab.cast.http import HEAD_BYTES
from lab.cast.pairs import Pairs
from lab.cast.paths import new_instance, require_one_of
from lab.cast.registered import Registered
from lab.cast.ruled import AGENT, Ruled
from lab.cast.setting import OURS, Setting, Variant
from lab.trace import Event
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
        self._pairs = Pairs(setting, variants, socket)
        self.roles = self._pairs.roles
        self._ruler = self._pairs.company.ruler
        self.secret = self._pairs.company.secret
        self._socket = socket
        self._is_real = setting.form == "real"
        self._proxy = setting.proxy
        self.writes_spans = setting.data_plane_of("orders") == OURS
        self._versions = setting.versions
        names = [f"inventory-{number}" for number in range(1, instances + 1)]
        setting.ends.callback(self._pairs.stop)
        if not self._is_real:
            self._pairs.begin_ruler()  # while the relay starts
            self._pairs.begin_services(names)
        self.wire = setting.ends.enter_context(setting.lay_wire(HEAD_BYTES))
        self._pairs.join(self.wire)
        setting.ends.callback(self._pairs.stop)  # so that all end before the wire does

        if self._is_real:
            self._pairs.begin_ruler()
            self._pairs.begin_services(names)
        self._pairs.meet_ruler()
        self._pairs.begin_sidecars(names)
        if not setting.era.has_control_plane:
            self._pairs.crew.wait_ready()  # all are registered when orders' sidecar first asks
        self._launch("orders")
        self._pairs.company.gather(names)

    @property
    def url(self) -> str:
        """Where customers are served, for `lab.doors.customer_at`."""
        edge = self.roles["orders" + SUFFIX].address
        return f"http+unix:{self._socket}" if self._is_real else edge

    @property
    def registry_url(self) -> str:
        """ValueError where a control plane knows who is there."""
        if "registry" not in self.roles:
            raise ValueError("no registry: the control plane knows who is there")
        return self.roles["registry"].address

    @property
    def outbound(self) -> str:
        """Where orders' sidecar takes what orders asks, seen from orders' host."""
        return self._pairs.outbound

    @property
    def ruled(self) -> Ruled:
        """The control plane. ValueError if there is none."""
        if not isinstance(self._pairs.company, Ruled):
            raise ValueError("no control plane: each sidecar has a file of its own")
        return self._pairs.company

    @property
    def instances(self) -> list[str]:
        """The roles that own the stock, dead or alive."""
        services = [name for name in self.roles if not name.endswith((SUFFIX, AGENT))]
        return [name for name in services if name not in (self._ruler, "orders")]

    def wire_of(self, name: str) -> WireProcess:
        """The wire, its verbs meant for one instance's path. ValueError if it is not to be had."""
        return self._pairs.paths.wire_of(name, self.instances)

    def add(self, name: str, version: str = "") -> str:
        """Start one more instance and its sidecar; its name."""
        name = new_instance(name, list(self.roles))
        if version:
            self._versions[name] = version
        self._launch(name)
        self._pairs.company.gather([name])
        return name

    def move(self, name: str) -> None:
        """It dies here with its sidecar, without a word, and starts at another address."""
        require_one_of(self.instances, name)
        self.crash(name)
        self._launch(name)
        self._pairs.company.gather([name])

    def kill(self, name: str) -> None:
        """kill -9 of a service, or of the proxy of a sidecar."""
        if name.endswith(SUFFIX):
            kill_proxy(self.roles[name])
            return
        self.roles[name].kill()

    def crash(self, name: str) -> None:
        """kill -9 of a service with all beside it, or of a sidecar with who starts its proxy."""
        self.roles[name].kill()
        if name in self._pairs.beside:
            self._pairs.kill_beside(name)
        if name in self._pairs.beside or name.endswith(SUFFIX):
            self._pairs.refuse(name)

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code. First who stands beside it, and sees its callers off."""
        for beside in self._pairs.names_beside(name):
            if self._pairs.crew.is_running(beside):
                self.roles[beside].terminate()
        code = self.roles[name].terminate()
        if name in self._pairs.beside or name.endswith(SUFFIX):
            self._pairs.refuse(name)
        return code

    def restart(self, name: str, variant: Variant | None) -> None:
        """Start it again where it was; kill it first if it still runs. With a service its sidecar,
        if that does not run.
        """
        if variant:
            self._pairs.variants[name] = variant
        self.roles[name].kill()
        if name == self._ruler:
            self._pairs.begin_ruler()
            self._pairs.meet_ruler()
            return
        instance = name.removesuffix(SUFFIX).removesuffix(AGENT)
        if name == instance:
            self._pairs.crew.begin(self._pairs.service(name))
        self._pairs.restart_beside(instance)
        self._pairs.crew.wait_ready()

    def reload(self, name: str) -> None:
        """SIGHUP: the sidecar, or the one of this service, reads its file again."""
        self.roles[self._sidecar_of(name)].signal(signal.SIGHUP)

    def hear(self, name: str) -> Hearing | None:
        """What the sidecar of this service says from now on of its file, if it obeys one."""
        if isinstance(self._pairs.company, Ruled):
            return None
        return Hearing(self.roles[self._sidecar_of(name)])

    def change_policy(self, name: str, key: str, value: object) -> None:
        """Write it into the sidecar's file, and have that read again; or tell who rules them."""
        sidecar = self._sidecar_of(name)
        if self._pairs.beside[sidecar.removesuffix(SUFFIX)].set(key, value):
            self.reload(sidecar)

    def upgrade(self, name: str, release: Path | None) -> None:
        """SIGUSR2: another proxy, of this release if one is given, takes over from the running
        one. Raises RoleFailed if it does not, ValueError if the proxy is one that cannot.
        """
        sidecar = self._sidecar_of(name)
        if self._proxy and isinstance(self._pairs.company, Registered):
            raise ValueError(f"upgrade: {self._proxy} is upgraded by its own means")
        if release:
            self._pairs.beside[sidecar.removesuffix(SUFFIX)].set("release", str(release.resolve()))
        upgrade_proxy(self.roles[sidecar])

    def name_ends(self, event: Event) -> Event:
        """With the name of the instance where a real wire says inventory."""
        return self._pairs.paths.name_ends(event)

    def _launch(self, name: str) -> None:
        """Start one and who stands beside it, and wait until all are ready."""
        self._pairs.begin_services([name])
        self._pairs.begin_sidecars([name])
        self._pairs.crew.wait_ready()

    def _sidecar_of(self, name: str) -> str:
        sidecar = name.removesuffix(SUFFIX) + SUFFIX
        if sidecar not in self.roles:
            raise ValueError(f"{name} has no sidecar")
        return sidecar
