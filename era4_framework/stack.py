"""The order of the layers, and why each of them stands just there. Read downward: a request comes
in at the top, and its answer goes the same way back.
"""

import random
import time
from collections.abc import Callable, Sequence
from itertools import chain

from era4_framework import filters_inbound as inbound
from era4_framework import filters_outbound as outbound
from era4_framework import filters_trying as trying
from era4_framework import filters_watching as watching
from era4_framework.config import ClientConfig, ServerConfig
from era4_framework.config_rules import require_known
from era4_framework.endpoints import Endpoints
from era4_framework.http import Http
from era4_framework.identity import Identity
from era4_framework.outcomes import Operation, serving
from era4_framework.resolver import Resolver
from era4_framework.service import Filter, Service, stack_of
from era4_framework.telemetry import Telemetry

Clock = Callable[[], float]


def client_stack(
    callee: str,
    resolver: Resolver,
    identity: Identity,
    telemetry: Telemetry,
    config: ClientConfig | None = None,
    *,
    transport: Service | None = None,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    rng: random.Random | None = None,
) -> Service:
    """A service that asks `callee`, whichever of its instances; raises Unreachable or NoAnswer.

    The last four are for tests: what sends, what time it is, how to wait, where chance comes from.
    """
    config, rng, me = config or ClientConfig(), rng or random.Random(), identity.service
    endpoints = Endpoints(config.breaker)
    telemetry.watch(callee, lambda: endpoints.of(resolver()))
    layers: list[Filter] = [
        # outermost: what the caller lives through, with all attempts and pauses
        watching.Calls(telemetry, me, callee, clock),
        # above retrying: the attempts share one deadline, else three would take three times as long
        outbound.Deadlines(config.deadline_s, clock),
        # above balancing: another attempt can go to another instance
        trying.Retrying(config.retry, rng, clock, sleep),
        # above breaking: every instance has a breaker of its own, and choosing looks at all of them
        trying.Balancing(config.balancer, endpoints, resolver, rng, clock),
        # above breaking: a silence counts only if the instance was given time to break it
        outbound.TimeLimits(config.try_timeout_s, clock),
        # above tracing: what it keeps back was never sent
        trying.Breaking(config, telemetry, callee, clock),
        # one span for each attempt, as each is a message of its own
        watching.Attempts(telemetry, me),
        # a token is renewed between two attempts, if it is time
        outbound.Identifying(identity, callee),
        # innermost: what answers another question is a failure to breaker, retries and tape
        outbound.believing,
    ]
    return stack_of(layers, transport or Http(clock))


def server_stack(
    operations: Sequence[Operation],
    identity: Identity,
    telemetry: Telemetry,
    config: ServerConfig,
    *,
    clock: Clock = time.monotonic,
) -> Service:
    """The operations, for other services: whoever asks must prove who it is, and be allowed.

    Raises ConfigError if `may` names an operation, or `quotas` a caller, that there is not.
    """
    require_known("may", config.may, [each.name for each in operations])
    require_known("quotas", config.quotas, sorted(set(chain.from_iterable(config.may.values()))))
    shedding = inbound.Shedding(config.most_in_flight)
    telemetry.watch_load(identity.service, shedding.in_flight)
    layers: list[Filter] = [
        # outermost: refusals are counted and traced like answers
        watching.Arrivals(telemetry, identity.service, clock),
        # everything below refuses by raising
        inbound.refusing,
        # before anything that costs: who is full must say so cheaply
        shedding,
        # before the next two, which ask what this caller may
        inbound.Authenticating(identity),
        # above rationing: what nobody may do takes nothing from a quota
        inbound.Authorising(config.may),
        inbound.Rationing(config.quotas, clock),
        # above deadlines, and below whatever refuses: of those it refuses nobody reads the body
        watching.Admissions(telemetry),
        # innermost: the last look at the clock before the work begins
        inbound.Deadlines(config.deadline_s, clock),
    ]
    return stack_of(layers, serving(operations))


def edge_stack(
    operations: Sequence[Operation],
    service: str,
    telemetry: Telemetry,
    config: ServerConfig,
    *,
    clock: Clock = time.monotonic,
) -> Service:
    """The operations, for customers, who have no token and no quota; traces begin here."""
    shedding = inbound.Shedding(config.most_in_flight)
    telemetry.watch_load(service, shedding.in_flight)
    layers: list[Filter] = [
        watching.Arrivals(telemetry, service, clock, customer="customer"),
        inbound.apologising,
        shedding,
        watching.Admissions(telemetry, customer="customer"),
        inbound.Deadlines(config.deadline_s, clock),
    ]
    return stack_of(layers, serving(operations))
