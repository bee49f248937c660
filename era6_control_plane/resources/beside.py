"""What Envoy's fields cannot say exactly, said beside them: metadata under the name `seven-eras`.

Envoy keeps metadata and acts on none of it; our own proxy reads it and has its exact numbers.

| whose metadata | members |
|---|---|
| Listener | `limits`: a LimitsConfig |
| VirtualHost `app` of `inbound` | `quotas`: QuotaConfigs by caller; `settle_s`, `drain_s` |
| Cluster `outbound\\|SERVICE\\|VERSION` | `service`, `version`, `breaker`, `budget` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from era5_sidecar.config_sections import LimitsConfig
from era6_control_plane.intent import ServiceIntent
from era6_control_plane.names import BESIDE
from era6_control_plane.resources.parts import Json, struct


def listener(limits: LimitsConfig) -> Json:
    """What strangers and slow peers may cost: Envoy counts kilobytes where we count bytes."""
    return _said({"limits": asdict(limits)})


def inbound(service: ServiceIntent) -> Json:
    """Quotas as they are meant, where Envoy's buckets are filled in steps; how leave is taken."""
    quotas = {caller: asdict(quota) for caller, quota in service.quotas.items()}
    return _said({"quotas": quotas, "settle_s": service.settle_s, "drain_s": service.drain_s})


def cluster(name: str, version: str, service: ServiceIntent) -> Json:
    """A breaker for each instance, and a budget in time: Envoy has neither."""
    client = service.client
    policies = {"breaker": asdict(client.breaker), "budget": asdict(client.retry.budget)}
    return _said({"service": name, "version": version, **policies})


def _said(members: Mapping[str, Any]) -> Json:
    return {"filter_metadata": {BESIDE: struct(members)}}
