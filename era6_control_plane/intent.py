"""What an operator wants of the whole mesh: one file, for all services and all their sidecars.

Era 3 had these numbers in its code, era 4 in arguments, era 5 in a file beside each process. Here
they are said once, about services and not about processes; who is told what follows from it
(compile.py). The policies' own numbers are era 4's dataclasses, field by field. What is said is
checked as a whole (intent_rules.py) before anybody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from era4_framework.config import LONGEST_S, SHORTEST_S, ClientConfig, QuotaConfig
from era4_framework.config_rules import (
    not_accepted,
    require_number,
    require_one_of,
    require_that,
    require_whole,
)
from era5_sidecar.config_inbound import ANYONE, METHODS, Rule
from era5_sidecar.config_sections import LimitsConfig
from era5_sidecar.config_text import is_name, require_flag, require_path

STRICT, PERMISSIVE = "strict", "permissive"
ALL = 100  # what the weights of one route add up to


@dataclass(frozen=True)
class MeshIntent:
    """What holds for everybody.

    mtls: `strict`, who has no certificate of ours is refused; `permissive`, plain text is taken,
    too, and its sender has no name. certificate_life_s: of a workload's; it is renewed at half of
    that, and no connection lasts longer than the rest.
    """

    mtls: str = STRICT
    certificate_life_s: float = 3600.0
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        require_one_of(self, "mtls", (STRICT, PERMISSIVE))
        require_number(self, "certificate_life_s", 2, 90 * 86400)


@dataclass(frozen=True)
class FaultIntent:
    """Trouble to make on purpose, before a request is sent: so many percent wait, so many fail.

    abort_status 0: none fails. delay_s 0: none waits.
    """

    delay_s: float = 0.0
    delay_percent: float = 100.0
    abort_status: int = 0
    abort_percent: float = 100.0

    def __post_init__(self) -> None:
        require_number(self, "delay_s", 0, LONGEST_S)
        require_number(self, "delay_percent", 0, 100)
        require_number(self, "abort_percent", 0, 100)
        if self.abort_status:
            require_whole(self, "abort_status", 400, 599)
        accepted = "a delay or an abort: a fault of neither is none"
        require_that(bool(self.delay_s or self.abort_status), self, "delay_s", accepted)


@dataclass(frozen=True)
class RouteIntent:
    """Where some of a service's requests go. The first route that fits a request counts.

    headers: all of these, to the letter. method: "*" for any. path: how it begins. to: versions and
    their shares, which add up to 100; empty: all instances alike. deadline_s, try_timeout_s,
    attempts: 0 for the service's own (`client`).
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ANYONE
    path: str = "/"
    to: Mapping[str, int] = field(default_factory=dict)
    deadline_s: float = 0.0
    try_timeout_s: float = 0.0
    attempts: int = 0
    fault: FaultIntent | None = None

    def __post_init__(self) -> None:
        require_one_of(self, "method", (*METHODS, ANYONE))
        require_path(self, "path")
        for name, value in self.headers.items():
            is_field = name and name.isascii() and name.replace("-", "").isalnum()
            if not is_field or not isinstance(value, str) or not value.isprintable():
                accepted = "names of letters, digits and -, and printable text"
                raise not_accepted("headers", {name: value}, accepted)
        for version, weight in self.to.items():
            if not is_name(version) or type(weight) is not int or not 0 <= weight <= ALL:
                accepted = f"versions' names, each with a whole number from 0 to {ALL}"
                raise not_accepted("to", {version: weight}, accepted)
        if self.to and sum(self.to.values()) != ALL:
            told = f"weights that add up to {ALL}; these add up to {sum(self.to.values())}"
            raise not_accepted("to", dict(self.to), told)
        for key in ("deadline_s", "try_timeout_s"):
            if getattr(self, key):
                require_number(self, key, SHORTEST_S, LONGEST_S)
        if self.attempts:
            require_whole(self, "attempts", 1, 10)


@dataclass(frozen=True)
class ServiceIntent:
    """One service: its versions, who may call it, how it is called, where calls of it go.

    versions: what its instances may call themselves. is_edge: customers call it, who have no
    certificate. most_in_flight, inbound_deadline_s: for each instance, as era 5's [inbound]; may,
    quotas: whatever no rule allows is refused. client, most_connections: how anybody calls it.
    """

    versions: tuple[str, ...] = ()
    is_edge: bool = False
    most_in_flight: int = 64
    inbound_deadline_s: float = 3.0
    settle_s: float = 1.0
    drain_s: float = 3.0
    may: tuple[Rule, ...] = ()
    quotas: Mapping[str, QuotaConfig] = field(default_factory=dict)
    client: ClientConfig = field(default_factory=ClientConfig)
    most_connections: int = 256
    routes: tuple[RouteIntent, ...] = ()

    def __post_init__(self) -> None:
        for version in self.versions:
            if not is_name(version):
                raise not_accepted("versions", version, "names of 1 to 64 of A-Z a-z 0-9 . _ -")
        require_flag(self, "is_edge")
        require_whole(self, "most_in_flight", 1, 100_000)
        require_number(self, "inbound_deadline_s", SHORTEST_S, LONGEST_S)
        require_number(self, "settle_s", 0, LONGEST_S)
        require_number(self, "drain_s", 0, LONGEST_S)
        require_whole(self, "most_connections", 1, 100_000)


@dataclass(frozen=True)
class Intent:
    """The whole wish."""

    services: Mapping[str, ServiceIntent]
    mesh: MeshIntent = field(default_factory=MeshIntent)

    def __post_init__(self) -> None:
        for name in self.services:
            if not is_name(name):
                raise not_accepted("services", name, "tables whose names are services'")
