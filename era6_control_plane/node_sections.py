"""The tables of a node's file, one frozen dataclass each; node.py puts them together."""

from __future__ import annotations

from dataclasses import dataclass, field

from era0_naive.role import host_and_port
from era4_framework.config import LONGEST_S
from era4_framework.config_rules import not_accepted, require_number
from era5_sidecar.config_text import (
    LONGEST_SOCKET_BYTES,
    UNIX,
    require_address,
    require_app,
    require_file,
    require_path,
    require_text,
)


@dataclass(frozen=True)
class NodeInbound:
    """Where callers come in; `advertise`: where they reach it, if that is not where it listens.

    settle_s, drain_s: how long a supervisor waits for a proxy that takes leave.
    """

    listen: str
    advertise: str = ""
    heartbeat_s: float = 0.5
    health_path: str = "/health"
    health_every_s: float = 0.5
    settle_s: float = 1.0
    drain_s: float = 3.0

    def __post_init__(self) -> None:
        require_address(self, "listen")
        if self.advertise:
            require_address(self, "advertise", least_port=1)
        elif "//0.0.0.0:" in self.listen:
            accepted = "where others reach it, as inbound.listen is everywhere"
            raise not_accepted("advertise", self.advertise, accepted)
        require_number(self, "heartbeat_s", 0.01, LONGEST_S)
        require_path(self, "health_path")
        require_number(self, "health_every_s", 0.01, LONGEST_S)
        require_number(self, "settle_s", 0, LONGEST_S)
        require_number(self, "drain_s", 0, LONGEST_S)


@dataclass(frozen=True)
class NodeOutbound:
    """Where the service's own calls go in, on loopback: its http_proxy."""

    listen: str

    def __post_init__(self) -> None:
        require_address(self, "listen", loopback=True)


@dataclass(frozen=True)
class PilotAddress:
    """How the control plane is reached, and what makes it believable.

    nodes: where who has a certificate is served, https://HOST:PORT; join: where one gets the first.
    authorities: a file of certificates in PEM, believed when joining. token: a file; it is read
    when there is no certificate that is good, and may appear later.
    """

    nodes: str
    join: str
    authorities: str
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _require_https(self, "nodes")
        _require_https(self, "join")
        require_file(self, "authorities")
        if self.token:
            require_file(self, "token")


@dataclass(frozen=True)
class AgentPlace:
    """socket: where the agent serves secrets to the proxy beside it, unix:PATH. state: a folder of
    its own (0700), where its key lies."""

    socket: str
    state: str

    def __post_init__(self) -> None:
        if not isinstance(self.socket, str) or not self.socket.startswith(UNIX):
            accepted = f"unix:PATH with a path of 1 to {LONGEST_SOCKET_BYTES} bytes"
            raise not_accepted("socket", self.socket, accepted)
        require_app(self, "socket")
        require_text(self, "state", "the path of a folder")


def _require_https(config: object, key: str) -> None:
    try:
        host_and_port(getattr(config, key), "https")
    except (TypeError, ValueError):
        accepted = "https://HOST:PORT with a port from 1 to 65535"
        raise not_accepted(key, getattr(config, key), accepted) from None
