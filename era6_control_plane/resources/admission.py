"""Who may ask a service for what, and how much: told with the routes, so that a change of it holds
for connections that are open already.
"""

from __future__ import annotations

from envoy.config.rbac.v3.rbac_pb2 import Policy
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC, RBACPerRoute

from era4_framework.config import QuotaConfig
from era5_sidecar.config_inbound import ANYONE, Rule
from era6_control_plane.intent import ServiceIntent
from era6_control_plane.resources.parts import (
    Json,
    boxed,
    header,
    is_header,
    percent,
    seconds,
    spiffe,
    typed,
)

RBAC_FILTER, QUOTA_FILTER = "rbac", "quota"
CERTIFICATE = "x-forwarded-client-cert"  # written by Envoy itself, whatever the caller sent
NOT_BELIEVED = (  # as in era 5: a service hears these from its proxy, or from nobody
    "x-caller",
    "x-user-id",
    "x-deadline-ms",
    "x-certain",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "forwarded",
)
FILLS_PER_S = 20  # Envoy's bucket is filled at even times, of at least 50 ms
ENDLESS = QuotaConfig(1e6, 1e6)


def filters() -> list[Json]:
    """As they stand in the listener: until routes say otherwise nobody may, and no quota counts."""
    nobody = {"rules": {"action": "ALLOW", "policies": {}}}
    return [
        {"name": RBAC_FILTER, "typed_config": typed(RBAC, nobody)},
        {"name": QUOTA_FILTER, "typed_config": typed(LocalRateLimit, {"stat_prefix": "quota"})},
    ]


def per_route(service: ServiceIntent) -> Json:
    """What the routes say to these filters."""
    policies = {f"rule-{number}": _policy(rule) for number, rule in enumerate(service.may)}
    rules = {"rules": {"action": "ALLOW", "policies": policies}}
    told = {RBAC_FILTER: typed(RBACPerRoute, {"rbac": rules})}
    if service.quotas:
        told[QUOTA_FILTER] = typed(LocalRateLimit, _quotas(service))
    return told


def _policy(rule: Rule) -> Policy:
    conditions: list[Json] = [{"url_path": {"path": {"prefix": rule.path}}}]
    if rule.method != ANYONE:
        conditions.append({"header": is_header(":method", {"exact": rule.method})})
    principals = [_principal(caller) for caller in sorted(rule.callers)]
    return Policy(permissions=[{"and_rules": {"rules": conditions}}], principals=principals)


def _principal(caller: str) -> Json:
    if caller == ANYONE:
        return {"any": True}
    return {"authenticated": {"principal_name": {"exact": spiffe(caller)}}}


def _quotas(service: ServiceIntent) -> Json:
    """A bucket for each caller that is named; who is not named shares one."""
    named = sorted(set(service.quotas) - {ANYONE})
    own = [
        {
            "entries": [{"key": "caller", "value": caller}],
            "token_bucket": _bucket(service.quotas[caller]),
        }
        for caller in named
    ]
    return {
        "stat_prefix": "quota",
        "token_bucket": _bucket(service.quotas.get(ANYONE, ENDLESS)),
        "descriptors": own,
        "rate_limits": [_told_apart(caller) for caller in named],
        "filter_enabled": {"default_value": percent(100)},
        "filter_enforced": {"default_value": percent(100)},
        "always_consume_default_token_bucket": boxed(False),
        "response_headers_to_add": [header("retry-after", "1")],
    }


def _told_apart(caller: str) -> Json:
    """How the quota knows whose request this is: by the name in its certificate."""
    fields = [is_header(CERTIFICATE, {"suffix": f";URI={spiffe(caller)}"})]
    match = {"descriptor_key": "caller", "descriptor_value": caller, "headers": fields}
    return {"actions": [{"header_value_match": match}]}


def _bucket(quota: QuotaConfig) -> Json:
    """So many whole tokens at each filling, in at least 50 ms: a slow rate fills rarely."""
    tokens = max(1, round(quota.rate_per_s / FILLS_PER_S))
    interval_s = max(tokens / quota.rate_per_s, 1 / FILLS_PER_S)
    return {
        "max_tokens": max(1, round(quota.burst)),
        "tokens_per_fill": boxed(tokens),
        "fill_interval": seconds(interval_s),
    }
