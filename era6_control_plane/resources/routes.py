"""Where requests go: to our own service, and from it to others. A change holds at once, also for
connections that are open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate

from era5_sidecar.config_inbound import ANYONE
from era6_control_plane.intent import FaultIntent, MeshIntent, RouteIntent, ServiceIntent
from era6_control_plane.names import APP, INBOUND, OUTBOUND
from era6_control_plane.resources import admission, answers, beside
from era6_control_plane.resources.clusters import name_of
from era6_control_plane.resources.listeners import FAULT_FILTER
from era6_control_plane.resources.parts import (
    ATTEMPTS,
    CERTAIN,
    Json,
    boxed,
    header,
    is_header,
    percent,
    seconds,
    typed,
)

IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")  # RFC 9110, section 9.2.2
ANYHOW = "connect-failure,refused-stream,reset,5xx"
NOT_EXECUTED = "connect-failure,refused-stream,retriable-status-codes"
AGAIN = "[2-9]|[1-9][0-9]+"  # of the numbers of attempts
SERVED_BY, CALLER = "x-served-by", "x-caller"
OTHERS = {"name": "previous_hosts", "typed_config": typed(PreviousHostsPredicate, {})}
# Who is dead answers fastest, and so is the least busy: of two, three looks of four find him.
LOOKS = 20
MOST_NAMED = 20
EVERYWHERE = RouteIntent()


def inbound(service: ServiceIntent, served_by: str) -> RouteConfiguration:
    """To our own service. served_by: who the answers are to say they come from.

    Who answers a repeated request cannot know what came of the one before: the caller is told.
    """
    again = _to_app(service, {"headers": [is_header(ATTEMPTS, {"safe_regex": {"regex": AGAIN}})]})
    again["response_headers_to_add"] = [header(CERTAIN, "false")]
    host = {
        "name": APP,
        "domains": ["*"],
        "routes": [again, _to_app(service, {})],
        "typed_per_filter_config": admission.per_route(service),
        "metadata": beside.inbound(service),
    }
    told = {
        "name": INBOUND,
        "virtual_hosts": [host],
        "response_headers_to_add": [header(SERVED_BY, served_by)],
    }
    return RouteConfiguration(**told)


def outbound(
    mesh: MeshIntent, callable_: Mapping[str, ServiceIntent], forbidden: Sequence[str]
) -> RouteConfiguration:
    """To others: those that may be called, by name. Who is known but may not be called is refused
    here already, and by its own proxy: that one decides, this one saves the way."""
    hosts = [_host(mesh, name, service) for name, service in sorted(callable_.items())]
    if forbidden:
        detail = "it lets no request of ours in: no rule of its says that we may"
        domains = [domain for name in sorted(forbidden) for domain in _domains(name)]
        hosts.append(_refusal("|forbidden", domains, 403, "Forbidden", detail))
    accepted = ", ".join(sorted(callable_)[:MOST_NAMED]) or "none"
    more = ", …" if len(callable_) > MOST_NAMED else ""
    detail = f"no service of this name; accepted: {accepted}{more}"
    hosts.append(_refusal("|unknown", ["*"], 503, "Service Unavailable", detail))
    return RouteConfiguration(name=OUTBOUND, virtual_hosts=hosts)


def in_order(service: ServiceIntent) -> list[RouteIntent]:
    """A service's routes up to one without a condition; there always is one."""
    found: list[RouteIntent] = []
    for each in service.routes:
        found.append(each)
        if not each.headers and each.method == ANYONE and each.path == "/":
            return found
    return [*found, EVERYWHERE]


def conditions(route: RouteIntent) -> list[Json]:
    """Of a request's fields, its method left out."""
    return [
        is_header(name.lower(), {"exact": value}) for name, value in sorted(route.headers.items())
    ]


def destination(service: str, route: RouteIntent) -> Json:
    """Which clusters, and in what shares."""
    if not route.to:
        return {"cluster": name_of(service)}
    shares = [
        {"name": name_of(service, version), "weight": boxed(weight)}
        for version, weight in sorted(route.to.items())
    ]
    return {"weighted_clusters": {"clusters": shares}}


def fault(asked: FaultIntent | None) -> Json:
    """What the route says to the filter that makes trouble."""
    if asked is None:
        return {}
    told: Json = {}
    if asked.delay_s:
        share = percent(asked.delay_percent)
        told["delay"] = {"fixed_delay": seconds(asked.delay_s), "percentage": share}
    if asked.abort_status:
        share = percent(asked.abort_percent)
        told["abort"] = {"http_status": asked.abort_status, "percentage": share}
    return {"typed_per_filter_config": {FAULT_FILTER: typed(HTTPFault, told)}}


def _to_app(service: ServiceIntent, match: Json) -> Json:
    """With the caller's name from its certificate, and none that it wrote itself."""
    caller = header(CALLER, "%DOWNSTREAM_PEER_DNS_SAN%")
    named = {} if service.is_edge else {"request_headers_to_add": [caller]}
    return {
        "match": {"prefix": "/", **match},
        "route": {"cluster": APP, "timeout": seconds(service.inbound_deadline_s)},
        "request_headers_to_remove": admission.NOT_BELIEVED,
        "response_headers_to_remove": [CERTAIN],
        **named,
    }


def _domains(name: str) -> list[str]:
    return [name.lower(), f"{name.lower()}:80"]


def _host(mesh: MeshIntent, name: str, service: ServiceIntent) -> Json:
    routes = [each for route in in_order(service) for each in _by_method(name, service, route)]
    return {
        "name": name,
        "domains": _domains(name),
        "include_request_attempt_count": True,
        "request_body_buffer_limit": boxed(mesh.limits.replay_bytes),
        "routes": routes,
    }


def _refusal(name: str, domains: list[str], status: int, title: str, detail: str) -> Json:
    route = {"match": {"prefix": "/"}, **answers.directly(status, title, detail)}
    return {"name": name, "domains": domains, "routes": [route]}


def _by_method(name: str, service: ServiceIntent, route: RouteIntent) -> list[Json]:
    """Twice, as only what is idempotent may be sent again after it was perhaps executed."""
    if route.method != ANYONE:
        retry_on = ANYHOW if route.method in IDEMPOTENT else NOT_EXECUTED
        return [_route(name, service, route, [_is_method({"exact": route.method})], retry_on)]
    idempotent = _is_method({"safe_regex": {"regex": "|".join(IDEMPOTENT)}})
    return [
        _route(name, service, route, [idempotent], ANYHOW),
        _route(name, service, route, [], NOT_EXECUTED),
    ]


def _is_method(how: Json) -> Json:
    return is_header(":method", how)


def _route(
    name: str, service: ServiceIntent, route: RouteIntent, method: list[Json], retry_on: str
) -> Json:
    client = service.client
    action = destination(name, route) | {
        "timeout": seconds(route.deadline_s or client.deadline_s),
        "retry_policy": _retries(service, route, retry_on),
    }
    match = {"prefix": route.path, "headers": [*method, *conditions(route)]}
    return {"match": match, "route": action, **fault(route.fault)}


def _retries(service: ServiceIntent, route: RouteIntent, retry_on: str) -> Json:
    client = service.client
    return {
        "retry_on": retry_on,
        "retriable_status_codes": [503],
        "num_retries": boxed((route.attempts or client.retry.attempts) - 1),
        "per_try_timeout": seconds(route.try_timeout_s or client.try_timeout_s),
        "retry_back_off": {
            "base_interval": seconds(client.retry.backoff.base_s),
            "max_interval": seconds(client.retry.backoff.cap_s),
        },
        "retry_host_predicate": [OTHERS],
        "host_selection_retry_max_attempts": LOOKS,
    }
