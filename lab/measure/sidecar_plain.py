"""The peers as they are fastest: no policies at all. And the upstream that all of them ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BODY_BYTES = 200
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # else nginx wants /var/lib/nginx
FOR_EVER = "keepalive_requests 1000000000; keepalive_timeout 3600s;"


def upstream(folder: Path, ports: Sequence[int], socket: Path) -> str:
    """nginx that answers everything with 200 bytes, on these ports and on a socket."""
    listens = [*(f"listen 127.0.0.1:{port};" for port in ports), f"listen unix:{socket};"]
    body = "x" * BODY_BYTES
    return _nginx(
        folder,
        f"server {{ {' '.join(listens)} location / {{ return 200 {body}; }} }}",
    )


LARGE_BUFFERS = (
    "proxy_buffer_size 64k;",
    "proxy_buffers 8 64k;",
    "client_body_buffer_size 256k;",
)


def nginx(folder: Path, port: int, endpoints: Sequence[int], large: bool = False) -> str:
    """nginx as a relay: one worker, connections kept, bodies streamed both ways.

    large: with buffers for large bodies, instead of those that it has unless told.
    """
    servers = " ".join(f"server 127.0.0.1:{each};" for each in endpoints)
    return _nginx(
        folder,
        f"upstream up {{ {servers} keepalive 128; keepalive_requests 1000000000; }}",
        "proxy_http_version 1.1;",
        'proxy_set_header Connection "";',
        "client_max_body_size 0;",
        "proxy_request_buffering off;",
        "proxy_max_temp_file_size 0;",
        *(LARGE_BUFFERS if large else ()),
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; }} }}",
    )


def _nginx(folder: Path, *lines: str) -> str:
    return "\n".join(
        [
            "daemon off;",
            "worker_processes 1;",
            f"pid {folder}/nginx.pid;",
            "error_log stderr crit;",
            "events { worker_connections 16000; }",
            "http {",
            "access_log off;",
            FOR_EVER,
            *(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY),
            *lines,
            "}",
            "",
        ]
    )


def haproxy(port: int, endpoints: Sequence[int]) -> str:
    """HAProxy as a relay: one thread, connections kept."""
    return "\n".join(
        [
            "global",
            "  nbthread 1",
            "  maxconn 8000",
            "defaults",
            "  mode http",
            "  timeout client 1h",
            "  timeout server 1h",
            "  timeout connect 1s",
            "frontend in",
            f"  bind 127.0.0.1:{port}",
            "  default_backend up",
            "backend up",
            "  balance roundrobin",
            "  http-reuse always",
            *(f"  server s{each} 127.0.0.1:{each}" for each in endpoints),
            "",
        ]
    )


def envoy(port: int, endpoints: Sequence[int]) -> str:
    """Envoy as a relay: the router alone, and what it does by itself."""
    types = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{types}.http.router.v3.Router"}
    host = {"name": "all", "domains": ["*"], "routes": [_everything("up")]}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    listener = {
        "name": "in",
        "address": _at(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    places = [{"endpoint": {"address": _at(each)}} for each in endpoints]
    cluster = {
        "name": "up",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": places}]},
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def _everything(cluster: str) -> dict[str, Any]:
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}


def _at(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
