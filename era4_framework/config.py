"""Every number of the framework, in one place: one frozen dataclass per policy.

Era 3 had these as constants in each service. Here they are arguments, whose defaults are era 3's
constants; era 5 reads the same fields from a file, era 6 receives them from the control plane.
A configuration is checked when it is made, so whoever holds one need not check again. Units are in
the names; durations are seconds. The file is long because it is where a number is looked up: what
it means stands beside what it may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from era4_framework.config_rules import (
    ConfigError,
    from_toml,
    not_accepted,
    read,
    require_number,
    require_one_of,
    require_that,
    require_whole,
)

__all__ = [
    "BackoffConfig",
    "BalancerConfig",
    "BreakerConfig",
    "BudgetConfig",
    "ClientConfig",
    "ConfigError",
    "QuotaConfig",
    "RetryConfig",
    "ServerConfig",
    "from_toml",
    "read",
]

SHORTEST_S, LONGEST_S = 0.001, 3600.0


@dataclass(frozen=True)
class BackoffConfig:
    """How long to wait before a retry: up to `base_s`, doubled each time, never above `cap_s`."""

    base_s: float = 0.025
    cap_s: float = 0.25

    def __post_init__(self) -> None:
        require_number(self, "base_s", SHORTEST_S, LONGEST_S)
        require_number(self, "cap_s", SHORTEST_S, LONGEST_S)
        require_that(self.cap_s >= self.base_s, self, "cap_s", f"at least base_s, {self.base_s}")


@dataclass(frozen=True)
class BudgetConfig:
    """How many retries all requests together may have: `percent` of them, and a floor.

    Both 0: none at all. Deposits and withdrawals are forgotten after `ttl_s`.
    """

    percent: float = 20.0
    min_retries_per_s: float = 10.0
    ttl_s: float = 10.0

    def __post_init__(self) -> None:
        require_number(self, "percent", 0, 1000)
        require_number(self, "min_retries_per_s", 0, 1e6)
        require_number(self, "ttl_s", 1, 60)


@dataclass(frozen=True)
class RetryConfig:
    """How often one request may be sent at most (1: no retries), how soon, out of which budget."""

    attempts: int = 3
    backoff: BackoffConfig = field(default_factory=BackoffConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)

    def __post_init__(self) -> None:
        require_whole(self, "attempts", 1, 10)


@dataclass(frozen=True)
class BreakerConfig:
    """When a breaker opens, for how long, and what closes it again (policies/breaker.py).

    consecutive_failures: opens after so many in a row; 0: never for that.
    failure_percent: opens when so much of the last `window_calls` verdicts, none of them older
    than `window_s`, are failures, once there are `least_calls` of them; 0: never for that.
    cool_down_growth_s: what each further trip adds to the cool-down, up to `longest_cool_down_s`;
    one trip is forgotten for every `forget_trip_s` that the breaker stayed closed.
    probes: how many calls a half-open breaker lets through, all of which must succeed.
    """

    consecutive_failures: int = 5
    failure_percent: float = 0.0
    least_calls: int = 20
    window_calls: int = 100
    window_s: float = 10.0
    cool_down_s: float = 1.0
    cool_down_growth_s: float = 0.0
    longest_cool_down_s: float = 300.0
    forget_trip_s: float = 10.0
    probes: int = 1

    def __post_init__(self) -> None:
        require_whole(self, "consecutive_failures", 0, 1_000_000)
        require_number(self, "failure_percent", 0, 100)
        require_that(
            bool(self.consecutive_failures or self.failure_percent),
            self,
            "consecutive_failures",
            "at least 1 if failure_percent is 0: a breaker that never opens is none",
        )
        require_whole(self, "least_calls", 1, 1_000_000)
        require_whole(self, "window_calls", 1, 1_000_000)
        require_that(
            self.least_calls <= self.window_calls,
            self,
            "least_calls",
            f"at most window_calls, {self.window_calls}: there are never more verdicts to judge by",
        )
        require_number(self, "window_s", SHORTEST_S, LONGEST_S)
        require_number(self, "cool_down_s", SHORTEST_S, LONGEST_S)
        require_number(self, "cool_down_growth_s", 0, LONGEST_S)
        require_number(self, "longest_cool_down_s", SHORTEST_S, LONGEST_S)
        require_that(
            self.longest_cool_down_s >= self.cool_down_s,
            self,
            "longest_cool_down_s",
            f"at least cool_down_s, {self.cool_down_s}",
        )
        require_number(self, "forget_trip_s", SHORTEST_S, LONGEST_S)
        require_whole(self, "probes", 1, 1000)


@dataclass(frozen=True)
class BalancerConfig:
    """How an instance is chosen among equals: `p2c` or `round_robin` (policies/balancer.py)."""

    kind: str = "p2c"

    def __post_init__(self) -> None:
        require_one_of(self, "kind", ("p2c", "round_robin"))


@dataclass(frozen=True)
class QuotaConfig:
    """How much one caller may ask: `rate_per_s` for ever, and `burst` at once after a silence."""

    rate_per_s: float
    burst: float

    def __post_init__(self) -> None:
        require_number(self, "rate_per_s", 0.001, 1e6)
        require_number(self, "burst", 1, 1e6)


@dataclass(frozen=True)
class ClientConfig:
    """How a service calls others.

    A try may never take longer than what is left of the deadline, so `attempts` times
    `try_timeout_s` may exceed `deadline_s`: failures that come fast leave time for all attempts,
    slow ones do not. But a try timeout above the deadline is refused: it could never take effect,
    and a silence that the deadline cut short counts against no instance (policies/classify.py).
    """

    deadline_s: float = 3.0
    try_timeout_s: float = 0.5
    poll_s: float = 0.5
    retry: RetryConfig = field(default_factory=RetryConfig)
    breaker: BreakerConfig = field(default_factory=BreakerConfig)
    balancer: BalancerConfig = field(default_factory=BalancerConfig)

    def __post_init__(self) -> None:
        require_number(self, "deadline_s", SHORTEST_S, LONGEST_S)
        require_number(self, "try_timeout_s", SHORTEST_S, LONGEST_S)
        require_that(
            self.try_timeout_s <= self.deadline_s,
            self,
            "try_timeout_s",
            f"at most deadline_s, {self.deadline_s}: longer it could never take effect",
        )
        require_number(self, "poll_s", 0.01, LONGEST_S)


@dataclass(frozen=True)
class ServerConfig:
    """How a service lets others call it.

    deadline_s: for a request that brings none, and the most that one may bring. settle_s, drain_s:
    when it is told to stop, it serves on until its callers have noticed, and then at most so long
    until what is under way has its answer.
    may: who may ask for an operation, `{"reserve": ("orders",)}`; what is not named, nobody may.
    quotas: how much each caller may ask; a caller without one has no limit of its own.
    """

    threads: int = 16
    most_in_flight: int = 12
    max_body_bytes: int = 65536
    deadline_s: float = 3.0
    settle_s: float = 1.0
    drain_s: float = 3.0
    heartbeat_s: float = 0.5
    lease_s: float = 2.0
    may: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quotas: Mapping[str, QuotaConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_whole(self, "threads", 2, 1000)
        require_whole(self, "most_in_flight", 1, 1000)
        require_that(
            self.most_in_flight < self.threads,
            self,
            "most_in_flight",
            f"less than threads, {self.threads}: one must be left to refuse the others",
        )
        require_whole(self, "max_body_bytes", 1, 2**30)
        require_number(self, "deadline_s", SHORTEST_S, LONGEST_S)
        require_number(self, "settle_s", 0, LONGEST_S)
        require_number(self, "drain_s", 0, LONGEST_S)
        require_number(self, "heartbeat_s", 0.01, LONGEST_S)
        require_number(self, "lease_s", 0.1, LONGEST_S)
        require_that(
            self.lease_s >= 2 * self.heartbeat_s,
            self,
            "lease_s",
            f"at least twice heartbeat_s, {self.heartbeat_s}: one lost heartbeat is no death",
        )
        for operation, callers in self.may.items():
            if not isinstance(callers, tuple) or {type(name) for name in callers} - {str}:
                raise not_accepted(f"may.{operation}", callers, "a list of callers' names")
        for caller, quota in self.quotas.items():
            if not isinstance(quota, QuotaConfig):
                raise not_accepted(f"quotas.{caller}", quota, "a QuotaConfig")
