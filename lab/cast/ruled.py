"""Era 6's company: a control plane, and an agent beside each sidecar that proves who it is to it.

    pilot ◀══ agents: who I am, that I am well ══ inventory-1-agent, ..., orders-agent
      ┊ a path of a relay of its own for each, form portable
      └══▶ what to do ══▶ inventory-1-sidecar, ..., orders-sidecar

The wire between the services is not the way to the control plane, on form portable: one can be cut
and the other not. On a real wire it stands in inventory's host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.cast.beside import ANY_PORT, SUFFIX
from lab.cast.company import Places
from lab.cast.operator import Operator, has_all
from lab.cast.registrar import NETWORK
from lab.cast.setting import Setting, Variant
from lab.cast.toml import toml_of
from lab.launch import Role
from lab.wire import Knobs
from lab.wire.divert import port_of
from lab.wire.namespaces import Host
from lab.wire.process import WireProcess

AGENT = "-agent"
ORDERS_NETWORK = "127.0.0.1/32"  # its sidecar lets callers in from its own host alone
WHOLE = ("services.", "mesh.")  # what a key of the intent begins with
OF_THE_FILE = {"app", "outbound", "release", "supervisor"}  # and one of a node's own file


class Ruled:
    """A control plane, its operator, and how nodes reach it."""

    ruler = "pilot"
    knows_callers = True

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._own = setting.directory / "hidden"  # tokens and keys
        self._own.mkdir(mode=0o700, exist_ok=True)
        self.hidden: Sequence[Path] = [self._own]
        self._state = self._own / "pilot"
        self._socket = setting.short_folder() / "operator"
        self.secret = self._state / "operator.token"
        self.operator = Operator(f"unix:{self._socket}", self.secret)
        self.control: WireProcess | None = None  # between nodes and the control plane
        self._ways: dict[str, str] = {}  # of each node, to the relay
        self.listens: dict[str, str] = {}
        if setting.form == "portable":
            wire = WireProcess.streams(Knobs(), seed=setting.seed)
            self.control = setting.ends.enter_context(wire)

    def command(self, listens: Mapping[str, str], host: str) -> list[str]:
        anywhere = f"https://{host}:0"
        intent = self._setting.intent or self._setting.era.folder / "intent.toml"
        options = ["--state", str(self._state), "--intent", str(intent)]
        options += ["--nodes", listens.get("nodes", anywhere)]
        options += ["--join", listens.get("join", anywhere)]
        options += ["--operator", self.operator.address]
        if self._setting.form == "real":
            options += ["--network", NETWORK, "--network", ORDERS_NETWORK]
        return ["pilot", *options]

    def meet(self, ruler: Role) -> dict[str, str]:
        self.listens = ruler.wait_listens()
        for instance in self._ways:  # another address only if it was never there before
            self._lead(instance)
        return self.listens

    def beside(self, instance: str, places: Places) -> Node:
        service = instance.partition("-")[0]
        token = self._own / f"{instance}.token"
        token.touch(mode=0o600)
        token.write_text(self.operator.token_for(service, instance))
        pilot = {
            "nodes": self._way_of(instance),
            "join": self.listens["join"],
            "authorities": str(self._state / "citadel" / "authorities.pem"),
            "token": str(token),
        }
        return Node(self, self._setting, service, instance, places, pilot)

    def gather(self, instances: Sequence[str]) -> None:
        """Until these are known, and orders' proxy has heard of them. Raises RoleFailed."""
        self.operator.wait(has_all(instances, "orders"), f"all of {', '.join(instances)}")

    def ports(self) -> list[int]:
        return [port_of(self.listens[name]) for name in ("nodes", "join")]

    def control_of(self, instance: str) -> WireProcess:
        """The way of one node to the control plane. ValueError on a real wire."""
        if self.control is None:
            raise ValueError("on a real wire the control plane is behind the same wire")
        return self.control.path(instance)

    def _way_of(self, instance: str) -> str:
        if self.control is None:
            return self.listens["nodes"]
        if instance not in self._ways:
            self._ways[instance] = self.control.open_path(instance).replace("tcp:", "https:")
            self._lead(instance)
        return self._ways[instance]

    def _lead(self, instance: str) -> None:
        way = self.control_of(instance)
        way.forward_to(self.listens["nodes"].replace("https:", "tcp:"))
        way.reopen_path()


class Node:
    """An agent and a sidecar, and the one file that both read."""

    def __init__(
        self,
        company: Ruled,
        setting: Setting,
        service: str,
        instance: str,
        places: Places,
        pilot: Mapping[str, str],
    ) -> None:
        """`instance`: whom it stands beside. `pilot`: how it reaches the control plane."""
        self.names: Sequence[str] = (instance + AGENT, instance + SUFFIX)
        self._company = company
        self._service = service
        self._setting = setting
        self._path = setting.directory / f"{instance}.node.toml"
        socket = Path(places.app.removeprefix("unix:")).with_name(f"{instance}.agent")
        self._table: dict[str, Any] = {
            "service": service,
            "instance": instance,
            "version": places.version,
            "data_plane": setting.data_plane_of(instance),
            "app": places.app,
            "admin_listen": ANY_PORT,
            "mark": places.mark,
            "inbound": {"listen": f"http://{places.host}:0", "advertise": places.advertised},
            "pilot": dict(pilot),
            "agent": {
                "socket": f"unix:{socket}",
                "state": str(company.hidden[0] / f"{instance}.agent"),
            },
        }
        if service == "orders":
            self._table["outbound"] = {"listen": ANY_PORT}

    def roles(self, host: Host | None, variants: Mapping[str, Variant]) -> list[Role]:
        self._write()
        asked = ["--config", str(self._path)]
        agent, sidecar = self.names
        return [
            self._setting.role(agent, ["agent", *asked], host, variants.get(agent)),
            self._setting.role(sidecar, ["sidecar", *asked], host, variants.get(sidecar)),
        ]

    def stay_at(self, listens: Mapping[str, str]) -> None:
        self._table["inbound"]["listen"] = listens["inbound"]
        self._table["admin_listen"] = listens["admin"]
        if "outbound" in self._table:
            self._table["outbound"]["listen"] = listens["outbound"]
        self._write()

    def set(self, key: str, value: object) -> bool:
        """A policy is no matter of this file: the control plane is told, and all nodes with it."""
        *path, last = key.split(".")
        if (path or [last])[0] in OF_THE_FILE:
            table = self._table
            for name in path:
                table = table.setdefault(name, {})
            table[last] = value
            self._write()
            return True
        self._company.operator.change(self._full(key), value)
        return False

    def _full(self, key: str) -> str:
        """As era 4's configuration names it: `retry.attempts` is of how a service asks, for one
        that asks nobody how it is asked.
        """
        if key.startswith(WHOLE):
            return key
        if self._service == "orders":
            return f"services.inventory.client.{key}"
        return f"services.{self._service}.{key}"

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(toml_of(self._table))
        os.replace(fresh, self._path)  # whoever reads it now reads it whole
