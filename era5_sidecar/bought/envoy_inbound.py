"""Envoy's listener for the callers of a service: who are they, may they, how much, how many."""

from era5_sidecar.bought import safe
from era5_sidecar.bought.envoy_parts import TYPES, Json, at, manager, seconds, spiffe, tls
from era5_sidecar.config import ANYONE, InboundConfig, Rule, SidecarConfig

PLENTY = 100_000  # of what is limited elsewhere
FILLS_PER_S = 20  # Envoy's bucket is filled at even times, of at least 50 ms
CERTIFICATE = "x-forwarded-client-cert"  # written by Envoy itself, whatever the caller sent


def inbound(config: SidecarConfig) -> tuple[Json, Json]:
    """The listener, and the cluster that is the application. Raises ConfigError."""
    rules = config.inbound
    route = {"cluster": "app", "timeout": seconds(rules.deadline_s)}
    host = {
        "name": "app",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": route}],
    }
    filters = [_may(rules), *_quotas(rules)]
    chain: Json = {"filters": [manager("inbound", config, filters, {"virtual_hosts": [host]})]}
    chain["filters"][0]["typed_config"] |= _caller(config)
    if config.tls and not rules.is_edge:
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True,
                "common_tls_context": tls(config.tls, []),
            },
        }
    where = at(*safe.address(rules.listen, "inbound.listen"))
    return {"name": "inbound", "address": where, "filter_chains": [chain]}, _app(config)


def _caller(config: SidecarConfig) -> Json:
    """A stranger may write no identity, and at the edge no header that Envoy itself believes."""
    if config.tls and not config.inbound.is_edge:
        return {
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": {"uri": True},
        }
    return {"forward_client_cert_details": "SANITIZE", "use_remote_address": config.inbound.is_edge}


def _app(config: SidecarConfig) -> Json:
    place = safe.app(config.app)
    where = {"pipe": {"path": place}} if isinstance(place, str) else at(*place)
    most = {
        "max_requests": config.inbound.most_in_flight,
        "max_connections": PLENTY,
        "max_pending_requests": PLENTY,
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": where}}]}
    return {
        "name": "app",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {"cluster_name": "app", "endpoints": [endpoint]},
    }


def _may(rules: InboundConfig) -> Json:
    kind = f"{TYPES}.extensions.filters.http.rbac.v3.RBAC"
    policies = {f"rule-{number}": _policy(rule) for number, rule in enumerate(rules.may)}
    allow = {"action": "ALLOW", "policies": policies}
    return {"name": "rbac", "typed_config": {"@type": kind, "rules": allow}}


def _policy(rule: Rule) -> Json:
    path: Json = {"url_path": {"path": {"prefix": safe.prefix(rule.path, "may.path")}}}
    how = [path]
    if rule.method != ANYONE:
        exact = {"exact": safe.method(rule.method, "may.method")}
        how.append({"header": {"name": ":method", "string_match": exact}})
    return {
        "permissions": [{"and_rules": {"rules": how}}],
        "principals": [_principal(caller) for caller in rule.callers],
    }


def _principal(caller: str) -> Json:
    if caller == ANYONE:
        return {"any": True}
    return {"authenticated": {"principal_name": {"exact": spiffe(caller)}}}


def _told_apart(caller: str) -> Json:
    """How the rate limit knows whose request this is."""
    header = {"name": CERTIFICATE, "string_match": {"suffix": f";URI={spiffe(caller)}"}}
    match = {"descriptor_key": "caller", "descriptor_value": caller, "headers": [header]}
    return {"actions": [{"header_value_match": match}]}


def _quotas(rules: InboundConfig) -> list[Json]:
    if not rules.quotas:
        return []
    own = [
        {
            "entries": [{"key": "caller", "value": caller}],
            "token_bucket": _bucket(q.rate_per_s, q.burst),
        }
        for caller, q in rules.quotas.items()
        if caller != ANYONE
    ]
    shared = rules.quotas.get(ANYONE)
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return [
        {
            "name": "quota",
            "typed_config": {
                "@type": f"{TYPES}.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                "stat_prefix": "quota",
                "token_bucket": _bucket(shared.rate_per_s, shared.burst)
                if shared
                else _bucket(1e6, 1e6),
                "descriptors": own,
                "rate_limits": [_told_apart(caller) for caller in rules.quotas if caller != ANYONE],
                "filter_enabled": always,
                "filter_enforced": always,
                "always_consume_default_token_bucket": False,
            },
        }
    ]


def _bucket(rate_per_s: float, burst: float) -> Json:
    """So many whole tokens at each filling, in at least 50 ms: a slow rate fills rarely."""
    tokens = max(1, round(rate_per_s / FILLS_PER_S))
    interval_s = max(tokens / rate_per_s, 1 / FILLS_PER_S)
    return {
        "max_tokens": max(1, round(burst)),
        "tokens_per_fill": tokens,
        "fill_interval": seconds(interval_s),
    }
