"""What one node is told when it starts: where things are, and nothing about policy.

Era 5 had a whole configuration beside each service. What is left of it is this file: everything
else comes from the control plane. The agent and the sidecar of one instance read the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from era4_framework import config_rules
from era4_framework.config_rules import ConfigError, not_accepted, require_one_of, require_whole
from era5_sidecar.config_lines import ConfigFileError, line_of, parse
from era5_sidecar.config_paths import resolve
from era5_sidecar.config_sections import SupervisorConfig
from era5_sidecar.config_text import (
    check_distinct,
    is_name,
    require_address,
    require_app,
    require_name,
    require_text,
)
from era6_control_plane.node_sections import AgentPlace, NodeInbound, NodeOutbound, PilotAddress

__all__ = [
    "ENVOY",
    "PYTHON",
    "AgentPlace",
    "NodeConfig",
    "NodeInbound",
    "NodeOutbound",
    "PilotAddress",
    "read",
]

PYTHON, ENVOY = "python", "envoy"
FILES = ("release", "pilot.authorities", "pilot.token", "agent.state")
SOCKETS = ("app", "agent.socket")


@dataclass(frozen=True)
class NodeConfig:
    """Everything one node is told. `data_plane`: python or envoy; the rest as in era 5's file."""

    service: str
    instance: str
    app: str
    admin_listen: str
    inbound: NodeInbound
    pilot: PilotAddress
    agent: AgentPlace
    version: str = ""
    data_plane: str = PYTHON
    release: str = ""
    mark: int = 0
    outbound: NodeOutbound | None = None
    supervisor: SupervisorConfig = field(default_factory=SupervisorConfig)

    def __post_init__(self) -> None:
        require_name(self, "service")
        require_name(self, "instance")
        require_app(self, "app")
        require_address(self, "admin_listen", loopback=True)
        if self.version and not is_name(self.version):
            accepted = 'a name of 1 to 64 of A-Z a-z 0-9 . _ -, or "" for none'
            raise not_accepted("version", self.version, accepted)
        require_one_of(self, "data_plane", (PYTHON, ENVOY))
        if self.release:
            require_text(self, "release", "the path of a folder")
        require_whole(self, "mark", 0, 2**32 - 1)
        self._check_addresses()

    def listens(self) -> dict[str, str]:
        """Where its listeners are, by name."""
        outbound = {"outbound": self.outbound.listen} if self.outbound else {}
        return {"inbound": self.inbound.listen, "admin": self.admin_listen} | outbound

    def _check_addresses(self) -> None:
        listens = {"inbound.listen": self.inbound.listen, "admin_listen": self.admin_listen}
        if self.outbound:
            listens["outbound.listen"] = self.outbound.listen
        check_distinct(listens)
        if self.agent.socket == self.app:
            raise not_accepted("agent.socket", self.agent.socket, "another address than app")


def read(path: Path) -> NodeConfig:
    """What the file says; paths in it are relative to its folder.

    Raises ConfigFileError, which tells the line, the key, its value and what is accepted.
    """
    table, text = parse(path)
    try:
        resolve(table, path.resolve().parent, FILES, SOCKETS, ("",))
        return _node(table)
    except ConfigError as error:
        raise ConfigFileError(path, line_of(text, error.key), error.key, error.problem) from None


def _node(table: dict[str, Any]) -> NodeConfig:
    """era 4's reader knows no table that may be absent."""
    outbound = table.get("outbound")
    if isinstance(outbound, Mapping):
        table["outbound"] = config_rules.read(NodeOutbound, outbound, "outbound")
    elif "outbound" in table:
        raise not_accepted("outbound", outbound, "a table, [outbound]")
    return config_rules.read(NodeConfig, table)
