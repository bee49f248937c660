"""Who can be asked: the service beside the proxy, and each version of those that it calls."""

from __future__ import annotations

from math import ceil

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from era4_framework.config import BreakerConfig, ClientConfig
from era6_control_plane.intent import MeshIntent, ServiceIntent
from era6_control_plane.names import APP
from era6_control_plane.resources import beside, transport
from era6_control_plane.resources.listeners import most_age_s
from era6_control_plane.resources.managers import COLLECTOR
from era6_control_plane.resources.parts import (
    ADS,
    PLENTY,
    Json,
    boxed,
    place_of_app,
    seconds,
    typed,
)

OPTIONS = HttpProtocolOptions.DESCRIPTOR.full_name
ALL_VERSIONS = ""


def name_of(service: str, version: str = ALL_VERSIONS) -> str:
    """What the cluster of one version is called, or that of all instances."""
    return f"outbound|{service}|{version}"


def app(service: ServiceIntent, url: str) -> Cluster:
    """Our own service. What is too much for it is shed. Raises ValueError for no address."""
    most = {
        "max_requests": boxed(service.most_in_flight),
        "max_connections": boxed(PLENTY),
        "max_pending_requests": boxed(PLENTY),
    }
    told = {
        "name": APP,
        "type": "STATIC",
        "connect_timeout": seconds(1),
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {
            "cluster_name": APP,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": place_of_app(url)}}]}],
        },
    }
    return Cluster(**told)


def collector() -> Cluster:
    """A collector of traces that is not there: Envoy makes no traceparent without one."""
    told = {"name": COLLECTOR, "type": "STATIC", "load_assignment": {"cluster_name": COLLECTOR}}
    return Cluster(**told)


def upstream(mesh: MeshIntent, name: str, version: str, service: ServiceIntent) -> Cluster:
    """Service `name` as it is called, over mTLS; who its instances are is told beside (EDS).

    version: of which; ALL_VERSIONS: whichever.
    """
    told = _common(name, version, service) | {
        **_balance(service.client),
        "circuit_breakers": _breakers(service),
        "transport_socket": transport.to(name),
        "typed_extension_protocol_options": {OPTIONS: typed(HttpProtocolOptions, _ages(mesh))},
        "metadata": beside.cluster(name, version, service),
    }
    return Cluster(**told)


def for_grpc(name: str, version: str, service: ServiceIntent) -> Cluster:
    """The same for a program that speaks xDS itself: gRPC brings its own credentials, and refuses
    what it does not know."""
    told = _common(name, version, service) | {"lb_policy": "ROUND_ROBIN"}
    return Cluster(**told)


def _common(name: str, version: str, service: ServiceIntent) -> Json:
    return {
        "name": name_of(name, version),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "connect_timeout": seconds(service.client.try_timeout_s),
        # without limit, as Envoy's panic has none: a storm would reach whoever is down
        "common_lb_config": {"healthy_panic_threshold": boxed(0)},
        "outlier_detection": _outlier(service.client.breaker),
    }


def _ages(mesh: MeshIntent) -> Json:
    """A connection shows the certificate of its first moment for as long as it lasts. An idle one
    we end, before the other side does it as a request is on its way (RFC 9112, section 9.3.1)."""
    age_s = most_age_s(mesh)
    ends = {
        "max_connection_duration": seconds(age_s),
        "idle_timeout": seconds(min(mesh.limits.idle_s, age_s) / 2),
    }
    http1: Json = {"explicit_http_config": {"http_protocol_options": {}}}
    return http1 | {"common_http_protocol_options": ends}


def _balance(client: ClientConfig) -> Json:
    if client.balancer.kind == "round_robin":
        return {"lb_policy": "ROUND_ROBIN"}
    return {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": boxed(2)}}


def _breakers(service: ServiceIntent) -> Json:
    """Ours counts retries in time, Envoy those under way: the floor times how long one lasts."""
    client = service.client
    budget = client.retry.budget
    floor = ceil(budget.min_retries_per_s * client.try_timeout_s)
    retries = {
        "budget_percent": boxed(min(100.0, budget.percent)),
        "min_retry_concurrency": boxed(floor),
    }
    shared = {
        "max_connections": boxed(PLENTY),
        "max_pending_requests": boxed(PLENTY),
        "max_requests": boxed(PLENTY),
        "retry_budget": retries,
    }
    each = {"max_connections": boxed(service.most_connections)}
    return {"thresholds": [shared], "per_host_thresholds": [each]}


def _outlier(breaker: BreakerConfig) -> Json:
    """All may be ejected, as each of ours may be open; a share is judged at even intervals."""
    shares = 100 if breaker.failure_percent else 0
    return {
        "consecutive_5xx": boxed(max(1, breaker.consecutive_failures)),
        "enforcing_consecutive_5xx": boxed(100 if breaker.consecutive_failures else 0),
        "enforcing_consecutive_gateway_failure": boxed(0),
        "enforcing_success_rate": boxed(0),
        "failure_percentage_threshold": boxed(max(1, round(breaker.failure_percent))),
        "failure_percentage_minimum_hosts": boxed(1),
        "failure_percentage_request_volume": boxed(breaker.least_calls),
        "enforcing_failure_percentage": boxed(shares),
        "interval": seconds(min(1.0, breaker.window_s)),
        "base_ejection_time": seconds(breaker.cool_down_s),
        "max_ejection_time": seconds(breaker.longest_cool_down_s),
        "max_ejection_percent": boxed(100),
        "successful_active_health_check_uneject_host": boxed(False),
    }
