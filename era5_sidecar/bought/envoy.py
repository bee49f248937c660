"""Envoy's configuration, from ours: JSON, so nothing in it can be more than a value.

| ours | Envoy's |
|---|---|
| p2c, round robin | LEAST_REQUEST with two choices, ROUND_ROBIN |
| breaker per instance, one probe | outlier detection: out for a time, then back at once |
| retry budget over 10 s | a share of the requests in flight, and a floor |
| retries by method | two routes, one for the idempotent methods |
| try timeout, deadline | per-try and route timeout; the callee is told none, but is hung up on |
| deadline inherited from the request that the app answers | none |
| quota per caller | local rate limit, told apart by the URI in the caller's certificate |
| shedding | circuit breaker of the app's cluster |
| rules who may | RBAC |
| slow head, silent body | request headers timeout, stream idle timeout: off unless set |
| the least rate of a body | none: a time for all of it (`request_timeout`), however large |
| traceparent for calls without one | its tracer, told to report nowhere |
| one file, reloaded on SIGHUP | read once; who lives where is in files that it watches |
| health of the app decides about the lease | the shell beside it does that (rewrite.py) |
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from era5_sidecar.bought import safe
from era5_sidecar.bought.envoy_inbound import inbound
from era5_sidecar.bought.envoy_outbound import clusters, endpoints, outbound
from era5_sidecar.bought.envoy_parts import at, collector
from era5_sidecar.config import SidecarConfig
from era5_sidecar.discovery import Instance

MAIN = "envoy.json"


def files(
    config: SidecarConfig, known: Mapping[str, Sequence[Instance]], folder: str
) -> dict[str, str]:
    """Every file that Envoy reads, by its name in `folder`.

    known: the instances of each service, as the registry has them. Raises ConfigError for what
    cannot be said safely.
    """
    texts = {MAIN: _bootstrap(config, safe.file(folder, "folder"))}
    services = config.outbound.services if config.outbound else {}
    for service, upstream in services.items():
        found = upstream.endpoints or [each.url for each in known.get(service, ())]
        texts[f"{safe.name(service)}.endpoints.json"] = _text(endpoints(service, found))
    return texts


def links(config: SidecarConfig) -> dict[str, str]:
    """Files that must be found under other names: none."""
    return {}


def command(binary: str, folder: str) -> list[str]:
    """What runs it: one worker, no shared memory with others of its kind, short drain."""
    quiet = ["--log-level", "warning", "--disable-hot-restart", "--concurrency", "1"]
    return [binary, "-c", f"{folder}/{MAIN}", *quiet, "--drain-strategy", "immediate"]


def check(binary: str, folder: str) -> list[str]:
    """What judges the files without running them."""
    return [binary, "--mode", "validate", "-c", f"{folder}/{MAIN}", "--log-level", "error"]


def _bootstrap(config: SidecarConfig, folder: str) -> str:
    listener, app = inbound(config)
    listeners, upstreams = [listener], [app, collector()]
    if config.outbound:
        listeners.append(outbound(config, config.outbound))
        upstreams += clusters(config, config.outbound, folder)
    bootstrap = {
        "node": {"id": safe.name(config.instance), "cluster": safe.name(config.service)},
        "admin": {"address": at(*safe.address(config.admin_listen, "admin_listen"))},
        "static_resources": {"listeners": listeners, "clusters": upstreams},
    }
    return _text(bootstrap)


def _text(said: Any) -> str:
    return json.dumps(said, indent=1) + "\n"
