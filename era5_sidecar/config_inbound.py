"""How others may call the service: who, for what, how much, and for how long it takes leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from era4_framework.config import LONGEST_S, SHORTEST_S, QuotaConfig
from era4_framework.config_rules import (
    not_accepted,
    require_known,
    require_number,
    require_one_of,
    require_that,
    require_whole,
)
from era5_sidecar.config_text import is_name, require_address, require_flag, require_path

ANYONE = "*"  # a caller, or a method, whichever
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Rule:
    """`callers` may ask with `method` for whatever begins with `path`; "*": any of them."""

    callers: tuple[str, ...]
    method: str
    path: str

    def __post_init__(self) -> None:
        is_list = isinstance(self.callers, tuple) and self.callers
        if not is_list or not all(each == ANYONE or is_name(each) for each in self.callers):
            raise not_accepted("callers", self.callers, 'a list of services\' names, or ["*"]')
        require_one_of(self, "method", (*METHODS, ANYONE))
        require_path(self, "path")


@dataclass(frozen=True)
class InboundConfig:
    """How others may call the service.

    advertise: where they reach it, if that is not where it listens. is_edge: the callers are
    customers, who have no certificate; their trace headers are not believed.
    deadline_s: for a request that brings none, and the most that one may bring. may: whatever no
    rule allows is refused. quotas: of one caller each, "*" for all others together.
    settle_s, drain_s: when told to stop it serves on until callers have noticed, and then at most
    so long until what is under way has its answer.
    """

    listen: str
    advertise: str = ""
    is_edge: bool = False
    most_in_flight: int = 64
    deadline_s: float = 3.0
    may: tuple[Rule, ...] = ()
    quotas: Mapping[str, QuotaConfig] = field(default_factory=dict)
    settle_s: float = 1.0
    drain_s: float = 3.0
    heartbeat_s: float = 0.5
    lease_s: float = 2.0
    health_path: str = "/"
    health_every_s: float = 0.5

    def __post_init__(self) -> None:
        require_address(self, "listen")
        if self.advertise:
            require_address(self, "advertise", least_port=1)
        require_flag(self, "is_edge")
        require_whole(self, "most_in_flight", 1, 100_000)
        require_number(self, "deadline_s", SHORTEST_S, LONGEST_S)
        require_number(self, "settle_s", 0, LONGEST_S)
        require_number(self, "drain_s", 0, LONGEST_S)
        require_number(self, "heartbeat_s", 0.01, LONGEST_S)
        require_number(self, "lease_s", 0.1, LONGEST_S)
        accepted = f"at least twice heartbeat_s, {self.heartbeat_s}: one lost heartbeat is no death"
        require_that(self.lease_s >= 2 * self.heartbeat_s, self, "lease_s", accepted)
        require_path(self, "health_path")
        require_number(self, "health_every_s", 0.01, LONGEST_S)
        named = sorted({ANYONE, *chain.from_iterable(rule.callers for rule in self.may)})
        if ANYONE not in chain.from_iterable(rule.callers for rule in self.may):
            require_known("quotas", self.quotas, named)
