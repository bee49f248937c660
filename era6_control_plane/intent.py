"""What an operator wants of the whole mesh: one file, for all services and all their sidecars.

Era 3 had these numbers in its code, era 4 in arguments, era 5 in a file beside each process. Here
they are said once, about services and not about processes; who is told what follows from it
(compile.py). The policies' own numbers are era 4's dataclasses, field by field. What is said is
checked as a whole (intent_rules.py) before anybody is told.
"""

from __future__ import annotations

import re
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
FIELD = re.compile(r"[A-Za-z0-9-]+")
VALUE = re.compile(r"[!-~]+( +[!-~]+)*")
NOT_PASSED_ON = {  # they end at the next proxy (RFC 9110, 7.6.1), or are its own affair
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


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
        accepted = f"0, or a number from {SHORTEST_S:g}"  # what rounds to nothing Envoy refuses
        require_that(not 0 < self.delay_s < SHORTEST_S, self, "delay_s", accepted)
        require_number(self, "delay_percent", 0, 100)
        require_number(self, "abort_percent", 0, 100)
        require_whole(self, "abort_status", 0, 599)
        accepted = "0, or a status from 400 to 599"
        require_that(not 0 < self.abort_status < 400, self, "abort_status", accepted)
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
        self._check_headers()
        self._check_weights()
        require_whole(self, "attempts", 0, 10)
        for key in ("deadline_s", "try_timeout_s"):
            require_number(self, key, 0, LONGEST_S)
            accepted = f"0, or a number from {SHORTEST_S:g}"
            require_that(not 0 < getattr(self, key) < SHORTEST_S, self, key, accepted)

    def _check_headers(self) -> None:
        for name, value in self.headers.items():
            if not FIELD.fullmatch(name) or name.lower() in NOT_PASSED_ON:
                accepted = "names of letters, digits and -, of headers that belong to the request"
                raise not_accepted(f"headers.{name}", value, f"{accepted} and not to a connection")
            if not isinstance(value, str) or not VALUE.fullmatch(value):
                accepted = "what a header may say: ASCII, with no space around it"
                raise not_accepted(f"headers.{name}", value, accepted)
        if len({name.lower() for name in self.headers}) < len(self.headers):
            raise not_accepted("headers", dict(self.headers), "each name once: case does not count")

    def _check_weights(self) -> None:
        for version, weight in self.to.items():
            if not is_name(version) or type(weight) is not int or not 0 <= weight <= ALL:
                accepted = f"versions' names, each with a whole number from 0 to {ALL}"
                raise not_accepted(f"to.{version}", weight, accepted)
        if self.to and sum(self.to.values()) != ALL:
            told = f"weights that add up to {ALL}; these add up to {sum(self.to.values())}"
            raise not_accepted("to", dict(self.to), told)


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
        if not isinstance(self.versions, tuple) or not all(map(is_name, self.versions)):
            accepted = "a list of names, 1 to 64 of A-Z a-z 0-9 . _ - each"
            raise not_accepted("versions", self.versions, accepted)
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
