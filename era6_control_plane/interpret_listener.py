"""Listeners, read: who may connect, how, and where the routes come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.connection_limit.v3.connection_limit_pb2 import (
    ConnectionLimit,
)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext

from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER
from era6_control_plane.interpret_parts import beside_of, config_of, url_of
from era6_control_plane.interpret_transport import tls_secrets
from era6_control_plane.names import TRUST_DOMAIN
from era6_control_plane.reading import Reading, Refused
from era6_control_plane.told import ListenerSaid

Manager = http_connection_manager_pb2.HttpConnectionManager
# What ours does whatever is said: strict heads and clean paths, traceparent, its own problem
# details, the caller's name from its certificate, nobody's word on traces at the edge.
ALWAYS = (
    "stat_prefix",
    "codec_type",
    "server_header_transformation",
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "generate_request_id",
    "tracing",
    "local_reply_config",
    "use_remote_address",
    "forward_client_cert_details",
    "set_current_client_cert_details",
    "early_header_mutation_extensions",
    "http1_safe_max_connection_duration",
    "drain_timeout",
)
IN_LIMITS = ("max_request_headers_kb", "request_headers_timeout", "stream_idle_timeout")
FILTERS = (RBAC, LocalRateLimit, HTTPFault, Router)  # as routes say; the listener's own say nothing
TRANSPORTS = ("", "tls", "raw_buffer")


def listener(name: str, message: Any) -> ListenerSaid:
    """message: a Listener, `inbound` or `outbound`. Raises Refused."""
    with Reading(message) as said:
        said.skip("name", "per_connection_buffer_limit_bytes")  # it is in the limits
        url_of(said.within("address"))  # must be one; where we listen our own file says
        limits = config_of(said, LimitsConfig, "limits", beside_of(said).get("limits", {}))
        for each in said.each("listener_filters"):
            each.skip("name")
            with each, each.within("typed_config").unpacked(TlsInspector):
                pass
        chains = [_chain(each) for each in said.each("filter_chains")]
        if not 1 <= len(chains) <= 2:
            raise said.refuse("filter_chains", "one, or one with TLS and one without")
    routes, most_age_s, most, _ = chains[0]
    guarded = [secrets for *_, secrets in chains if secrets is not None]
    return ListenerSaid(
        routes,
        replace(limits, most_connections=most or limits.most_connections),
        is_edge=not guarded,
        is_permissive=bool(guarded) and len(chains) > len(guarded),
        most_age_s=most_age_s,
        secrets=guarded[0] if guarded else frozenset(),
    )


Chain = tuple[str, float, int, frozenset[str] | None]  # routes, most age, most connections, secrets


def _chain(said: Reading) -> Chain:
    most = 0
    manager = None
    with said:
        with said.within("filter_chain_match") as match:
            if match.take("transport_protocol") not in TRANSPORTS:
                raise match.refuse("transport_protocol", "tls or raw_buffer")
        for each in said.each("filters"):
            each.skip("name")
            with each:
                told = each.within("typed_config")
                if told.is_of(ConnectionLimit):
                    most = _connection_limit(told)
                else:
                    manager = _manager(told.unpacked(Manager))
        if manager is None:
            raise said.refuse("filters", "an HTTP connection manager")
        secrets = _tls(said.within("transport_socket")) if said.has("transport_socket") else None
    return *manager, most, secrets


def _connection_limit(told: Reading) -> int:
    with told.unpacked(ConnectionLimit) as limit:
        limit.skip("stat_prefix")
        return int(limit.number("max_connections"))


def _manager(said: Reading) -> tuple[str, float]:
    with said:
        said.skip(*ALWAYS, *IN_LIMITS)
        with said.within("rds") as rds:
            rds.skip("config_source")
            routes = rds.take("route_config_name")
        with said.within("common_http_protocol_options") as options:
            options.skip("idle_timeout", "max_headers_count", "headers_with_underscores_action")
            most_age_s = options.seconds("max_connection_duration")
        for each in said.each("http_filters"):
            _filter(each)
    return routes, most_age_s or NEVER


def _filter(said: Reading) -> None:
    """One that we do not know is refused, unless it is said to be optional."""
    name = said.take("name")
    config = said.within("typed_config")
    if said.take("is_optional"):
        return
    with said:
        if not any(config.is_of(kind) for kind in FILTERS):
            raise Refused(f"{config.path} of {name!r} is a filter that this proxy does not know")


def _tls(said: Reading) -> frozenset[str]:
    said.skip("name")
    with said, said.within("typed_config").unpacked(DownstreamTlsContext) as tls:
        if not tls.number("require_client_certificate"):
            raise tls.refuse("require_client_certificate", "true")
        return tls_secrets(tls.within("common_tls_context"), TRUST_DOMAIN, "prefix")
