"""The routes of `outbound`, read: where our service's requests go, and by which numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.type.v3.percent_pb2 import FractionalPercent

from era4_framework.config import BackoffConfig, ClientConfig, RetryConfig
from era4_framework.config_rules import ConfigError
from era5_sidecar.ways import Fault
from era6_control_plane.reading import Reading, Refused
from era6_control_plane.told import HostTold, RouteTold

OF = {
    FractionalPercent.HUNDRED: 100,
    FractionalPercent.TEN_THOUSAND: 10_000,
    FractionalPercent.MILLION: 1_000_000,
}
UNSAID_S, UNSAID_BASE_S = 15.0, 0.025  # Envoy's own
ALTERNATIVES = re.compile(r"\^?\(?([A-Z]+(?:\|[A-Z]+)*)\)?\$?")
# What may be sent again, and whom to ask then, ours decides by each request and its answer.
ALWAYS = (
    "retry_on",
    "retriable_status_codes",
    "retry_host_predicate",
    "host_selection_retry_max_attempts",
)


def outbound(name: str, message: Any) -> tuple[HostTold, ...]:
    """One for each service that may be named. message: a RouteConfiguration. Raises Refused."""
    with Reading(message) as said:
        said.skip("name")
        return tuple(_host(each) for each in said.each("virtual_hosts"))


def _host(said: Reading) -> HostTold:
    with said:
        said.skip("include_request_attempt_count", "request_body_buffer_limit")
        name, domains = said.take("name"), tuple(said.take("domains"))
        if not domains:
            raise said.refuse("domains", "at least one")
        routes = said.each("routes")
        if len(routes) == 1 and routes[0].has("direct_response"):
            return HostTold(name, domains, answer=_answer(routes[0]))
        found = [_route(each) for each in routes]
    return HostTold(name, domains, tuple(_without_doubles(found)))


def _answer(said: Reading) -> tuple[int, bytes]:
    with said:
        said.skip("match", "response_headers_to_add")  # ours are a problem's, and the same
        with said.within("direct_response") as told, told.within("body") as body:
            return told.take("status"), body.take("inline_string").encode()


def _without_doubles(routes: list[RouteTold]) -> list[RouteTold]:
    """One for some methods, and the same for all, are told apart only where a proxy cannot see by
    itself what may be sent again."""
    following = [*routes[1:], None]
    pairs = zip(routes, following, strict=True)
    return [each for each, after in pairs if replace(each, methods=frozenset()) != after]


def _route(said: Reading) -> RouteTold:
    with said:
        with said.within("match") as match:
            path = match.take("prefix")
            if not path:
                raise match.refuse("prefix", "the beginning of a path")
            methods, headers = _conditions(match)
        with said.within("route") as action:
            client = _client(action)
            return RouteTold(path, _destination(action), headers, methods, client, _fault(said))


def _conditions(match: Reading) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    methods: frozenset[str] = frozenset()
    headers = []
    for each in match.each("headers"):
        with each:
            name = each.take("name").lower()
            with each.within("string_match") as matcher:
                if name == ":method":
                    methods = _methods(matcher)
                else:
                    headers.append((name, str(matcher.take("exact"))))
    return methods, tuple(sorted(headers))


def _methods(matcher: Reading) -> frozenset[str]:
    if not matcher.has("safe_regex"):
        return frozenset((str(matcher.take("exact")),))
    with matcher.within("safe_regex") as told:
        found = ALTERNATIVES.fullmatch(told.take("regex"))
        if not found:
            raise told.refuse("regex", "methods, with | between them")
        return frozenset(found[1].split("|"))


def _destination(action: Reading) -> tuple[tuple[str, int], ...]:
    if not action.has("weighted_clusters"):
        return ((action.take("cluster"), 1),)
    with action.within("weighted_clusters") as weighted:
        found = []
        for each in weighted.each("clusters"):
            with each:
                found.append((str(each.take("name")), int(each.number("weight"))))
        if not sum(weight for _, weight in found):
            raise weighted.refuse("clusters", "weights that are not all 0")
    return tuple(found)


def _client(action: Reading) -> ClientConfig:
    deadline_s = action.seconds("timeout") or UNSAID_S
    with action.within("retry_policy") as policy:
        policy.skip(*ALWAYS)
        try_timeout_s = policy.seconds("per_try_timeout") or deadline_s
        attempts = policy.number("num_retries") + 1
        with policy.within("retry_back_off") as pauses:
            base_s = pauses.seconds("base_interval") or UNSAID_BASE_S
            cap_s = pauses.seconds("max_interval") or 10 * base_s
    try:
        retry = RetryConfig(attempts, BackoffConfig(base_s, cap_s))
        return ClientConfig(deadline_s, try_timeout_s, retry=retry)
    except ConfigError as error:
        raise Refused(f"{action.path}: {error}") from error


def _fault(said: Reading) -> Fault | None:
    found = None
    for config in said.by_key("typed_per_filter_config").values():
        with config.unpacked(HTTPFault) as told:
            with told.within("delay") as delay:
                delay_s, waits = delay.seconds("fixed_delay"), _share(delay)
            with told.within("abort") as abort:
                status, fails = abort.take("http_status"), _share(abort)
            found = Fault(delay_s, waits, status, fails)
    return found


def _share(said: Reading) -> float:
    with said.within("percentage") as told:
        return float(told.take("numerator")) / OF[told.take("denominator")]
