"""What one node is told when it starts: where things are, and nothing about policy.

Era 5 had a whole configuration beside each service. What is left of it is this file: everything
else comes from the control plane. The agent and the sidecar of one instance read the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from era5_sidecar.config_sections import SupervisorConfig

PYTHON, ENVOY = "python", "envoy"


@dataclass(frozen=True)
class NodeInbound:
    """Where callers come in; `advertise`: where they reach it, if that is not where it listens."""

    listen: str
    advertise: str = ""
    heartbeat_s: float = 0.5
    health_path: str = "/health"
    health_every_s: float = 0.5


@dataclass(frozen=True)
class NodeOutbound:
    """Where the service's own calls go in, on loopback: its http_proxy."""

    listen: str


@dataclass(frozen=True)
class PilotAddress:
    """How the control plane is reached, and what makes it believable.

    nodes: where who has a certificate is served, https://HOST:PORT; join: where one gets the first.
    authorities: a file of certificates in PEM. token: a file, read once, when there is no
    certificate yet.
    """

    nodes: str
    join: str
    authorities: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class AgentPlace:
    """socket: where the agent serves secrets to the proxy beside it, unix:PATH. state: a folder of
    its own (0700), where its key lies."""

    socket: str
    state: str


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


def read(path: Path) -> NodeConfig:
    """What the file says; paths in it are relative to its folder.

    Raises ConfigFileError, which tells the line, the key, its value and what is accepted.
    """
    raise NotImplementedError
