"""The tables of a sidecar's file, one frozen dataclass each; config.py puts them together.

Each checks itself when it is made. What the policies are told is era 4's dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from era4_framework.config import LONGEST_S, SHORTEST_S, ClientConfig
from era4_framework.config_rules import (
    not_accepted,
    require_number,
    require_that,
    require_whole,
)
from era5_sidecar.config_text import (
    check_address,
    is_name,
    require_address,
    require_file,
    require_text,
    require_url,
)

NOWHERE, STDOUT = "", "-"


@dataclass(frozen=True)
class LimitsConfig:
    """What strangers and slow peers may cost.

    head_s: for a whole head to arrive. idle_s: a connection kept alive between two requests.
    body_s: the longest silence inside a body. least_body_bytes_per_s: how fast who sends a large
    body, or reads one, is on the whole; to a sender the request's deadline is grace, to a reader
    body_s; 0: only silences count. replay_bytes: the largest body kept for a retry.
    most_buffer_bytes: in each direction of a connection, before the sender is made to wait.
    """

    most_connections: int = 16384
    most_head_bytes: int = 32768
    most_headers: int = 100
    head_s: float = 10.0
    idle_s: float = 60.0
    body_s: float = 30.0
    least_body_bytes_per_s: int = 4096
    replay_bytes: int = 65536
    most_buffer_bytes: int = 65536

    def __post_init__(self) -> None:
        require_whole(self, "most_connections", 1, 1_000_000)
        require_whole(self, "most_head_bytes", 1024, 65535)
        require_whole(self, "most_headers", 10, 1000)
        require_number(self, "head_s", SHORTEST_S, LONGEST_S)
        require_number(self, "idle_s", SHORTEST_S, LONGEST_S)
        require_number(self, "body_s", SHORTEST_S, LONGEST_S)
        require_whole(self, "least_body_bytes_per_s", 0, 2**30)
        require_whole(self, "replay_bytes", 0, 2**30)
        require_whole(self, "most_buffer_bytes", 4096, 2**30)


@dataclass(frozen=True)
class UpstreamConfig:
    """How one service is called: era 4's numbers, and `endpoints` if no registry is to be asked."""

    client: ClientConfig = field(default_factory=ClientConfig)
    most_connections: int = 256
    endpoints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_whole(self, "most_connections", 1, 100_000)
        if not isinstance(self.endpoints, tuple):
            raise not_accepted("endpoints", self.endpoints, "a list of http://IP:PORT")
        for number, each in enumerate(self.endpoints):
            check_address(each, f"endpoints[{number}]")


@dataclass(frozen=True)
class OutboundConfig:
    """Whom the service calls. Who may speak to this listener speaks in its name: loopback only."""

    listen: str
    services: Mapping[str, UpstreamConfig]

    def __post_init__(self) -> None:
        require_address(self, "listen", loopback=True)
        for name in self.services:
            if not is_name(name):
                raise not_accepted("services", name, "tables whose names are services'")


@dataclass(frozen=True)
class RegistryConfig:
    """Where instances are registered and found, and the file whose secret signs what we say."""

    url: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        require_url(self, "url")
        require_file(self, "secret")


@dataclass(frozen=True)
class TlsConfig:
    """Who we are, and whose signature makes others believable: three files in PEM."""

    certificate: str
    key: str = field(repr=False)
    authority: str

    def __post_init__(self) -> None:
        require_file(self, "certificate")
        require_file(self, "key")
        require_file(self, "authority")


@dataclass(frozen=True)
class LogConfig:
    """A line for each request: into the file `path`, to stdout ("-") or nowhere ("")."""

    path: str = NOWHERE
    every_s: float = 1.0

    def __post_init__(self) -> None:
        if self.path != NOWHERE:
            require_text(self, "path", 'the path of a file, "-" for stdout, or "" for no log')
        require_number(self, "every_s", 0.01, 60)


@dataclass(frozen=True)
class SupervisorConfig:
    """How the proxy is watched: asked every `probe_every_s` whether it lives, and ended when it has
    said nothing for `patience_s`; at an upgrade the new one has `upgrade_s` to get ready.
    """

    probe_every_s: float = 1.0
    patience_s: float = 5.0
    upgrade_s: float = 10.0

    def __post_init__(self) -> None:
        require_number(self, "probe_every_s", 0.05, LONGEST_S)
        require_number(self, "patience_s", 0.1, LONGEST_S)
        accepted = (
            f"at least twice probe_every_s, {self.probe_every_s}: one lost answer is no death"
        )
        require_that(self.patience_s >= 2 * self.probe_every_s, self, "patience_s", accepted)
        require_number(self, "upgrade_s", 0.1, LONGEST_S)
