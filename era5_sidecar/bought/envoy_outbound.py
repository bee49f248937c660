"""Envoy's listener for the calls of a service: whom, how often, for how long."""

from collections.abc import Sequence
from math import ceil

from era4_framework.config import BreakerConfig, ClientConfig
from era5_sidecar.bought import safe
from era5_sidecar.bought.envoy_parts import TYPES, Json, at, manager, seconds, spiffe, tls
from era5_sidecar.config import OutboundConfig, SidecarConfig, TlsConfig

IDEMPOTENT = "GET|HEAD|OPTIONS|PUT|DELETE"  # RFC 9110, section 9.2.2
PLENTY = 100_000
PREVIOUS_HOSTS = f"{TYPES}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"


def outbound(config: SidecarConfig, calls: OutboundConfig) -> Json:
    """The listener. Raises ConfigError."""
    hosts = [_host(service, upstream.client) for service, upstream in calls.services.items()]
    chain = {"filters": [manager("outbound", config, [], {"virtual_hosts": hosts})]}
    where = at(*safe.address(calls.listen, "outbound.listen"))
    return {"name": "outbound", "address": where, "filter_chains": [chain]}


def cluster_of(service: str) -> str:
    """Its name, which is none of those of our own: app, collector. Raises ConfigError."""
    return f"to-{safe.name(service)}"


def clusters(config: SidecarConfig, calls: OutboundConfig, folder: str) -> list[Json]:
    """One cluster for each service; its instances are in a file that Envoy watches."""
    return [
        {
            "name": cluster_of(service),
            "type": "EDS",
            "eds_cluster_config": {
                "eds_config": {
                    "path_config_source": {
                        "path": f"{folder}/{service}.endpoints.json",
                        "watched_directory": {"path": folder},
                    },
                    "resource_api_version": "V3",
                }
            },
            "connect_timeout": seconds(upstream.client.try_timeout_s),
            **_balance(upstream.client),
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "outlier_detection": _outlier(upstream.client.breaker),
            "circuit_breakers": {"thresholds": [_budget(upstream.client)]},
            **(_transport(config.tls, service) if config.tls else {}),
        }
        for service, upstream in calls.services.items()
    ]


def endpoints(service: str, urls: Sequence[str]) -> Json:
    """Where its instances are, as the file says it. Raises ConfigError for what is no address."""
    places = [
        {"endpoint": {"address": at(*safe.address(url, f"endpoint of {service}"))}} for url in urls
    ]
    assignment = {
        "@type": f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster_of(service),
        "endpoints": [{"lb_endpoints": places}],
    }
    return {"resources": [assignment]}


def _host(service: str, client: ClientConfig) -> Json:
    name = safe.name(service)
    regex = {"safe_regex": {"regex": IDEMPOTENT}}
    idempotent = {"prefix": "/", "headers": [{"name": ":method", "string_match": regex}]}
    anyhow = "connect-failure,refused-stream,reset,gateway-error"
    not_executed = "connect-failure,refused-stream,retriable-status-codes"
    return {
        "name": name,
        "domains": [name, f"{name}:80"],
        "include_request_attempt_count": True,
        "routes": [
            {"match": idempotent, "route": _route(name, client, anyhow)},
            {"match": {"prefix": "/"}, "route": _route(name, client, not_executed)},
        ],
    }


def _route(service: str, client: ClientConfig, retry_on: str) -> Json:
    backoff = client.retry.backoff
    retry = {
        "retry_on": retry_on,
        "retriable_status_codes": [503],
        "num_retries": client.retry.attempts - 1,
        "per_try_timeout": seconds(client.try_timeout_s),
        "retry_back_off": {
            "base_interval": seconds(backoff.base_s),
            "max_interval": seconds(backoff.cap_s),
        },
        "retry_host_predicate": [
            {
                "name": "previous_hosts",
                "typed_config": {"@type": PREVIOUS_HOSTS},
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }
    return {
        "cluster": cluster_of(service),
        "timeout": seconds(client.deadline_s),
        "retry_policy": retry,
    }


def _balance(client: ClientConfig) -> Json:
    if client.balancer.kind == "round_robin":
        return {"lb_policy": "ROUND_ROBIN"}
    return {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 2}}


def _outlier(breaker: BreakerConfig) -> Json:
    """All may be ejected, as each of ours may be open; a share is judged at even intervals."""
    shares = 100 if breaker.failure_percent else 0
    return {
        "consecutive_5xx": max(1, breaker.consecutive_failures),
        "enforcing_consecutive_5xx": 100 if breaker.consecutive_failures else 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "failure_percentage_threshold": max(1, round(breaker.failure_percent)),
        "failure_percentage_minimum_hosts": 1,
        "failure_percentage_request_volume": breaker.least_calls,
        "enforcing_failure_percentage": shares,
        "interval": seconds(min(1.0, breaker.window_s)),
        "base_ejection_time": seconds(breaker.cool_down_s),
        "max_ejection_time": seconds(breaker.longest_cool_down_s),
        "max_ejection_percent": 100,
        "successful_active_health_check_uneject_host": False,
    }


def _budget(client: ClientConfig) -> Json:
    """Ours counts retries in time, Envoy those under way: the floor times how long one lasts."""
    budget = client.retry.budget
    return {
        "max_connections": PLENTY,
        "max_pending_requests": PLENTY,
        "max_requests": PLENTY,
        "retry_budget": {
            "budget_percent": {"value": min(100.0, budget.percent)},
            "min_retry_concurrency": ceil(budget.min_retries_per_s * client.try_timeout_s),
        },
    }


def _transport(config: TlsConfig, service: str) -> Json:
    kind = f"{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    peer = {"san_type": "URI", "matcher": {"exact": spiffe(service)}}
    context = {"@type": kind, "sni": service, "common_tls_context": tls(config, [peer])}
    return {"transport_socket": {"name": "tls", "typed_config": context}}
