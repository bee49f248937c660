"""What our proxy is told, read from resources: era 5's configuration, and routes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from era4_framework.config import BackoffConfig, ClientConfig
from era5_sidecar.config import InboundConfig, LimitsConfig, UpstreamConfig

NEVER_S = 0.0  # a connection may last for ever


@dataclass(frozen=True)
class FaultTold:
    """Trouble to make on purpose, once for each request: shares are from 0 to 1."""

    delay_s: float = 0.0
    delay_share: float = 0.0
    abort_status: int = 0
    abort_share: float = 0.0


@dataclass(frozen=True)
class RouteTold:
    """Requests that fit go to `to`, clusters and their weights.

    headers: name (small letters) and value, to the letter. method: empty for any.
    """

    path: str
    to: tuple[tuple[str, int], ...]
    headers: tuple[tuple[str, str], ...] = ()
    method: str = ""
    deadline_s: float = 3.0
    try_timeout_s: float = 0.5
    attempts: int = 1
    backoff: BackoffConfig = field(default_factory=BackoffConfig)
    fault: FaultTold | None = None


@dataclass(frozen=True)
class ClusterTold:
    """Whom a route may lead to. service: whose name its certificates must bear."""

    service: str
    client: ClientConfig
    most_connections: int
    most_age_s: float = NEVER_S


@dataclass(frozen=True)
class Told:
    """Everything. routes: by service, in the order in which they are tried. is_permissive: plain
    text is taken, too, and its sender has no name.
    """

    app: str
    inbound: InboundConfig
    limits: LimitsConfig
    outbound: str = ""  # where it listens; empty: the service calls nobody
    is_permissive: bool = False
    most_age_s: float = NEVER_S
    served_by: str = ""
    routes: Mapping[str, tuple[RouteTold, ...]] = field(default_factory=dict)
    clusters: Mapping[str, ClusterTold] = field(default_factory=dict)


__all__ = ["NEVER_S", "ClusterTold", "FaultTold", "RouteTold", "Told", "UpstreamConfig"]
