"""What our proxy is told: resources as they were read, and what follows from all of them together.

Each resource has a part of its own, so that one that is refused leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from era4_framework.config import ClientConfig, QuotaConfig
from era5_sidecar.config import LimitsConfig, Rule
from era5_sidecar.connection import NEVER
from era5_sidecar.upstream import Asked
from era5_sidecar.ways import Fault


@dataclass(frozen=True)
class ListenerSaid:
    """A listener: which routes it has, and how callers connect to it.

    is_edge: without TLS; is_permissive: with and without. most_age_s: of a connection. secrets: by
    which names.
    """

    routes: str
    limits: LimitsConfig
    is_edge: bool = True
    is_permissive: bool = False
    most_age_s: float = NEVER
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class InboundSaid:
    """The routes of `inbound`: who may, how much, until when; how leave is taken."""

    deadline_s: float
    may: tuple[Rule, ...]
    quotas: Mapping[str, QuotaConfig]
    settle_s: float
    drain_s: float
    served_by: str = ""


@dataclass(frozen=True)
class RouteTold:
    """Requests that fit go to `to`: clusters and their weights.

    path: how it begins. headers: name (small letters) and value, to the letter. methods: any of
    these; none: whichever. client: times, attempts and pauses; the rest the cluster says.
    """

    path: str
    to: tuple[tuple[str, int], ...]
    headers: tuple[tuple[str, str], ...] = ()
    methods: frozenset[str] = frozenset()
    client: ClientConfig = field(default_factory=ClientConfig)
    fault: Fault | None = None


@dataclass(frozen=True)
class HostTold:
    """A service that may be named, under any of `domains`. answer: status and body with which every
    request to it is answered; None: its routes say."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[RouteTold, ...] = ()
    answer: tuple[int, bytes] | None = None


@dataclass(frozen=True)
class AppSaid:
    """Where our service listens, and how many requests it may have at once."""

    url: str
    most_in_flight: int


@dataclass(frozen=True)
class ClusterSaid:
    """Whom a route may lead to. asked: with the cluster's part of the numbers; routes say the rest.

    assignment: the name under which its instances are told.
    """

    name: str
    version: str
    asked: Asked
    assignment: str
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PairSaid:
    """Our own certificate and its key, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class AuthoritiesSaid:
    """Whose signature makes others believable, in PEM."""

    certificates: bytes


Credentials = tuple[PairSaid, AuthoritiesSaid]  # who we are, and whom we believe


@dataclass(frozen=True)
class Told:
    """Everything but secrets, and who is there. outbound: None: our service calls nobody."""

    app: AppSaid
    inbound: ListenerSaid
    admission: InboundSaid
    outbound: ListenerSaid | None = None
    hosts: tuple[HostTold, ...] = ()
    clusters: Mapping[str, ClusterSaid] = field(default_factory=dict)
