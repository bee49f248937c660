"""What a real Envoy is told when it starts: who it is, and whom to ask for everything else.

This is all that is static. Its listeners, routes, clusters and endpoints come from the control
plane over one stream (ADS), its key and certificates from the agent beside it (SDS).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from era5_sidecar.bought.envoy_parts import TYPES, at
from era5_sidecar.config_text import UNIX
from era6_control_plane.names import AGENT, AUTHORITIES, OWN_CERTIFICATE, PILOT, TRUST_DOMAIN
from era6_control_plane.node import NodeConfig

Json = dict[str, Any]

BACK_OFF = {"base_interval": "0.2s", "max_interval": "1s"}  # its own is 0.5 s to 30 s
KEEP_ALIVE = {"interval": "1s", "timeout": "1s"}  # who is frozen is found out; else never
HTTP_OPTIONS = f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"
UPSTREAM_TLS = f"{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
SOL_SOCKET, SO_MARK = 1, 36  # Linux; Envoy takes numbers
VALIDITY = "V3"


def bootstrap(config: NodeConfig, listens: Mapping[str, str]) -> str:
    """Its file, as JSON. listens: where this node's listeners are, by name: inbound, admin, and
    outbound if it calls others.
    """
    told: Json = {
        "node": {
            "id": config.instance,
            "cluster": config.service,
            "metadata": metadata(config, listens),
        },
        "admin": {"address": _address(listens["admin"])},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": VALIDITY,
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": PILOT,
                            "retry_policy": {"retry_back_off": BACK_OFF},
                        }
                    }
                ],
            },
            "cds_config": _by_ads(),
            "lds_config": _by_ads(),
        },
        "static_resources": {"clusters": [_pilot(config), _agent(config)]},
    }
    if config.mark:
        # by this the kernel knows it, and does not lead it back to itself: lab's divert
        option = {"level": SOL_SOCKET, "name": SO_MARK, "int_value": config.mark}
        told["cluster_manager"] = {
            "upstream_bind_config": {"socket_options": [{**option, "state": "STATE_PREBIND"}]}
        }
    return json.dumps(told, indent=1) + "\n"


def metadata(config: NodeConfig, listens: Mapping[str, str]) -> dict[str, str]:
    """What a proxy says of itself: `compile.node_of` reads it."""
    return {
        "version": config.version,
        "inbound": listens["inbound"],
        "outbound": listens.get("outbound", ""),
        "app": config.app,
        "kind": "sidecar",
    }


def command(binary: str, path: str) -> list[str]:
    """What runs it: one worker, no shared memory with others of its kind, a short farewell.

    binary: Envoy. path: of the file that `bootstrap` gave.
    """
    quiet = ["--log-level", "warning", "--concurrency", "1", "--disable-hot-restart"]
    return [binary, "-c", path, *quiet, "--drain-strategy", "immediate", "--drain-time-s", "1"]


def _by_ads() -> Json:
    """For ever: without it Envoy serves after 15 s with no listeners, which refuses everybody."""
    return {"resource_api_version": VALIDITY, "ads": {}, "initial_fetch_timeout": "0s"}


def _pilot(config: NodeConfig) -> Json:
    """Over mutual TLS, with the certificate that the agent keeps fresh."""
    peer = {"san_type": "URI", "matcher": {"exact": TRUST_DOMAIN + PILOT}}
    trust = {
        "default_validation_context": {"match_typed_subject_alt_names": [peer]},
        "validation_context_sds_secret_config": _secret(AUTHORITIES),
    }
    context = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",  # without it an upstream gets 1.2
        },
        "alpn_protocols": ["h2"],
        "tls_certificate_sds_secret_configs": [_secret(OWN_CERTIFICATE)],
        "combined_validation_context": trust,
    }
    told = {"@type": UPSTREAM_TLS, "sni": PILOT, "common_tls_context": context}
    return {
        **_cluster(PILOT, _address(config.pilot.nodes)),
        "transport_socket": {"name": "tls", "typed_config": told},
    }


def _agent(config: NodeConfig) -> Json:
    return _cluster(AGENT, {"pipe": {"path": config.agent.socket.removeprefix(UNIX)}})


def _cluster(name: str, address: Json) -> Json:
    h2 = {"http2_protocol_options": {"connection_keepalive": KEEP_ALIVE}}
    options = {"@type": HTTP_OPTIONS, "explicit_http_config": h2}
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    return {
        "name": name,
        "type": _kind(address),
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {HTTP_OPTIONS.rpartition("/")[2]: options},
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
    }


def _secret(name: str) -> Json:
    source = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": VALIDITY,
        "set_node_on_first_message_only": True,
        "grpc_services": [
            {"envoy_grpc": {"cluster_name": AGENT, "retry_policy": {"retry_back_off": BACK_OFF}}}
        ],
    }
    config = {
        "resource_api_version": VALIDITY,
        "api_config_source": source,
        "initial_fetch_timeout": "0s",
    }
    return {"name": name, "sds_config": config}


def _kind(address: Json) -> str:
    """A name is looked up again and again, as a control plane may move."""
    with suppress(ValueError, LookupError):
        ip_address(address["socket_address"]["address"])
        return "STATIC"
    return "STRICT_DNS" if "socket_address" in address else "STATIC"


def _address(url: str) -> Json:
    host, _, port = url.partition("://")[2].rpartition(":")
    return at(host.strip("[]"), int(port))
