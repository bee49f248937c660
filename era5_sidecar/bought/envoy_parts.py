"""Parts of Envoy's configuration that both of its listeners share."""

from typing import Any

from era5_sidecar.bought import safe
from era5_sidecar.config import LimitsConfig, LogConfig, SidecarConfig, TlsConfig

TYPES = "type.googleapis.com/envoy"
ROUTER = f"{TYPES}.extensions.filters.http.router.v3.Router"
CONNECTION_MANAGER = (
    f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
TRUST_DOMAIN = "spiffe://seven-eras/"
LINE = (
    "%START_TIME% {direction} %DOWNSTREAM_PEER_URI_SAN% %REQ(:METHOD)% %REQ(:PATH)% "
    "%RESPONSE_CODE% %DURATION%ms %UPSTREAM_HOST% %UPSTREAM_REQUEST_ATTEMPT_COUNT% "
    "%RESPONSE_FLAGS% %REQ(TRACEPARENT)%\n"
)
# Why Envoy answered itself: %RESPONSE_FLAGS% in its documentation.
NOBODY = ("UH", "UO", "NR", "NC")  # nobody there, too much at once, no such service
REFUSED = ("UF",)  # no connection
LATE = ("UT", "SI", "DPE")
BROKE = ("UC", "UR", "UPE", "DC")  # perhaps executed
ATTEMPTS = "x-envoy-attempt-count"  # on the request: absent before the first, then its number
COLLECTOR = "collector"

Json = dict[str, Any]


def seconds(value: float) -> str:
    """A duration as Envoy reads it."""
    return f"{value:.3f}s"


def at(host: str, port: int) -> Json:
    """A socket's address."""
    return {"socket_address": {"address": host, "port_value": port}}


def spiffe(service: str) -> str:
    """The name in a service's certificate."""
    return TRUST_DOMAIN + safe.name(service)


def tls(config: TlsConfig, peers: list[Json]) -> Json:
    """Our certificate, their authority. Without the upper bound Envoy calls with TLS 1.2."""
    own = {
        "certificate_chain": {"filename": config.certificate},
        "private_key": {"filename": config.key},
    }
    names = {"match_typed_subject_alt_names": peers} if peers else {}
    return {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [own],
        "validation_context": {"trusted_ca": {"filename": config.authority}, **names},
    }


def collector() -> Json:
    """The cluster of a collector of traces that is not there."""
    return {"name": COLLECTOR, "type": "STATIC", "load_assignment": {"cluster_name": COLLECTOR}}


def manager(direction: str, config: SidecarConfig, filters: list[Json], routes: Json) -> Json:
    """The filter that speaks HTTP: limits, clean paths, log, trace, answers of its own."""
    return {
        "name": "http",
        "typed_config": {
            "@type": CONNECTION_MANAGER,
            "stat_prefix": direction,
            "codec_type": "HTTP1",
            "server_header_transformation": "PASS_THROUGH",
            "normalize_path": True,
            "merge_slashes": True,
            "path_with_escaped_slashes_action": "REJECT_REQUEST",
            "generate_request_id": True,
            "tracing": _tracing(config.service),
            "access_log": _log(direction, config.log),
            "local_reply_config": {"mappers": _answers(direction, config.inbound.is_edge)},
            "drain_timeout": seconds(config.inbound.drain_s),
            **_limits(config.limits),
            "http_filters": [*filters, {"name": "router", "typed_config": {"@type": ROUTER}}],
            "route_config": routes,
        },
    }


def _limits(limits: LimitsConfig) -> Json:
    return {
        "max_request_headers_kb": max(1, limits.most_head_bytes // 1024),
        "request_headers_timeout": seconds(limits.head_s),
        "stream_idle_timeout": seconds(limits.body_s),
        "common_http_protocol_options": {
            "idle_timeout": seconds(limits.idle_s),
            "max_headers_count": limits.most_headers,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
    }


def _tracing(service: str) -> Json:
    """Makes and passes on `traceparent`. It insists on a collector, but of no span it reports."""
    kind = f"{TYPES}.config.trace.v3.OpenTelemetryConfig"
    exporter = {"envoy_grpc": {"cluster_name": COLLECTOR}, "timeout": "0.250s"}
    provider = {"@type": kind, "grpc_service": exporter, "service_name": safe.name(service)}
    return {
        "random_sampling": {"value": 0},
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
    }


def _log(direction: str, log: LogConfig) -> list[Json]:
    if not log.path:
        return []
    path = "/dev/stdout" if log.path == "-" else log.path
    line = {"text_format_source": {"inline_string": LINE.replace("{direction}", direction)}}
    kind = f"{TYPES}.extensions.access_loggers.file.v3.FileAccessLog"
    return [{"name": "file", "typed_config": {"@type": kind, "path": path, "log_format": line}}]


def _answers(direction: str, is_edge: bool) -> list[Json]:
    """Problem details for what Envoy refuses or loses: certain, if it certainly was not executed.

    Outbound an earlier attempt may have arrived before this one failed. Inbound nobody knows what
    the caller's sidecar has tried before; only customers have none.
    """
    untried, once, sure = _attempts("^$"), _attempts("^1?$"), True
    if direction == "inbound":
        untried = once = _attempts(".*")
        sure = is_edge
    return [
        {"filter": _both(_flags(*NOBODY), untried), **_problem(503, sure)},
        {"filter": _both(_flags(*REFUSED), once), **_problem(503, sure)},
        {"filter": _flags(*LATE), **_problem(504, False)},
        {"filter": _flags(*NOBODY, *REFUSED, *BROKE), **_problem(502, False)},
        {"filter": _status(429), **_problem(429, sure)},
        {"filter": _status(403), **_problem(403, sure)},
    ]


def _attempts(regex: str) -> Json:
    match = {"safe_regex": {"regex": regex}}
    header = {"name": ATTEMPTS, "string_match": match, "treat_missing_header_as_empty": True}
    return {"header_filter": {"header": header}}


def _both(one: Json, other: Json) -> Json:
    return {"and_filter": {"filters": [one, other]}}


def _flags(*flags: str) -> Json:
    return {"response_flag_filter": {"flags": list(flags)}}


def _status(status: int) -> Json:
    value = {"default_value": status, "runtime_key": "none"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _problem(status: int, certain: bool) -> Json:
    """RFC 9457, with the members that the services read."""
    body = {
        "type": "about:blank",
        "title": "%RESPONSE_CODE_DETAILS%",
        "status": status,
        "detail": "sidecar: %RESPONSE_CODE_DETAILS%",
        "outcome": "unavailable",
        "certain": certain,
    }
    kind = {"json_format": body, "content_type": "application/problem+json"}
    return {"status_code": status, "body_format_override": kind}
