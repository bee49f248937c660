"""The filter that speaks HTTP: limits, clean paths, traces, answers of its own. Where requests go
it is told beside (RDS).
"""

from __future__ import annotations

from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.connection_limit.v3.connection_limit_pb2 import (
    ConnectionLimit,
)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
)

from era5_sidecar.config_sections import LimitsConfig
from era6_control_plane.intent import MeshIntent
from era6_control_plane.resources.parts import ADS, Json, boxed, seconds, typed

COLLECTOR = "collector"
DRAIN_S = 0.5  # a connection that is to end is told so with its next answer
CUSTOMERS_OWN = (  # not believed at the edge: what one proxy would tell another
    "traceparent",
    "tracestate",
    "baggage",
    "x-client-trace-id",
    "x-envoy-attempt-count",
    "x-envoy-original-path",
    "x-forwarded-for",
)


def chain(direction: str, mesh: MeshIntent, service: str, told: Json, age: Json) -> list[Json]:
    """The network filters of one side. told: what only that side's manager has. age: how long its
    connections may last, if not for as long as the limits say."""
    limit = {"stat_prefix": direction, "max_connections": boxed(mesh.limits.most_connections)}
    manager: Json = {
        "stat_prefix": direction,
        "codec_type": "HTTP1",
        "rds": {"route_config_name": direction, "config_source": ADS},
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": boxed(True),
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "generate_request_id": boxed(True),
        "tracing": _tracing(service),
        "drain_timeout": seconds(DRAIN_S),
        **_limits(mesh.limits, age),
        **told,
    }
    kind = http_connection_manager_pb2.HttpConnectionManager
    return [
        {"name": "connection_limit", "typed_config": typed(ConnectionLimit, limit)},
        {"name": "http", "typed_config": typed(kind, manager)},
    ]


def router() -> Json:
    """The last filter. It is told no deadline, as it believes none that comes from elsewhere: who
    waits no longer hangs up, and what its request has begun is ended."""
    return {"name": "router", "typed_config": typed(Router, {})}


def without_customers_own() -> Json:
    """Taken off before anything reads it: traces, attempts, where they say they come from."""
    removals = [{"remove": name} for name in CUSTOMERS_OWN]
    told = typed(HeaderMutation, {"mutations": removals})
    return {"early_header_mutation_extensions": [{"name": "edge", "typed_config": told}]}


def _limits(limits: LimitsConfig, age: Json) -> Json:
    return {
        "max_request_headers_kb": boxed(max(1, limits.most_head_bytes // 1024)),
        "request_headers_timeout": seconds(limits.head_s),
        "stream_idle_timeout": seconds(limits.body_s),
        "common_http_protocol_options": {
            "idle_timeout": seconds(limits.idle_s),
            "max_headers_count": boxed(limits.most_headers),
            "headers_with_underscores_action": "REJECT_REQUEST",
            **age,
        },
    }


def _tracing(service: str) -> Json:
    """Makes and passes on `traceparent`. It insists on a collector, but of no span it reports."""
    exporter = {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": seconds(0.25)}
    provider = typed(OpenTelemetryConfig, {"grpc_service": exporter, "service_name": service})
    return {
        "random_sampling": boxed(0),
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
    }
