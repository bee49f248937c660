"""The routes of `inbound`, read: who may ask our service for what, how much, and until when."""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBACPerRoute

from era4_framework.config import QuotaConfig
from era4_framework.config_rules import ConfigError
from era5_sidecar.config import ANYONE, Rule
from era6_control_plane.interpret_parts import beside_of, config_of
from era6_control_plane.names import APP, BESIDE, TRUST_DOMAIN
from era6_control_plane.reading import Reading, Refused
from era6_control_plane.told import InboundSaid

ALLOW = 0  # RBAC.Action
# Of fields on their way to our service and back: ours says who calls and what is certain itself.
ALWAYS = (
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
)
SERVED_BY = "x-served-by"
LEAVE = {"settle_s": 1.0, "drain_s": 3.0}  # where nothing is said of it


def inbound(name: str, message: Any) -> InboundSaid:
    """message: a RouteConfiguration. Raises Refused."""
    with Reading(message) as said:
        said.skip("name")
        served_by = _served_by(said)
        hosts = said.each("virtual_hosts")
        if len(hosts) != 1:
            raise said.refuse("virtual_hosts", f"one, {APP!r}")
        with hosts[0] as host:
            return _host(host, served_by)


def _host(said: Reading, served_by: str) -> InboundSaid:
    said.skip("name", "domains")  # whoever reaches this listener means the service beside it
    deadlines = [_deadline_s(each) for each in said.each("routes")]
    if not deadlines:
        raise said.refuse("routes", "at least one")
    filters = said.by_key("typed_per_filter_config")
    beside = beside_of(said)
    may: tuple[Rule, ...] = ()
    for config in filters.values():
        if config.is_of(RBACPerRoute):
            may = _rules(config.unpacked(RBACPerRoute))
        elif not config.is_of(LocalRateLimit):
            raise Refused(f"{config.path} is of a filter that this proxy does not know")
        elif not beside.get("quotas"):
            raise Refused(f"{config.path} is set without {BESIDE}.quotas, which says it exactly")
    quotas = {
        caller: config_of(said, QuotaConfig, f"quotas.{caller}", told)
        for caller, told in beside.get("quotas", {}).items()
    }
    leave = [float(beside.get(key, default)) for key, default in LEAVE.items()]
    return InboundSaid(deadlines[-1], may, quotas, leave[0], leave[1], served_by)


def _deadline_s(said: Reading) -> float:
    """Of a request that brings none; who asks again is seen otherwise than by a match."""
    with said:
        said.skip("match", *ALWAYS)
        with said.within("route") as action:
            if action.take("cluster") != APP:
                raise action.refuse("cluster", repr(APP))
            return action.seconds("timeout")


def _served_by(said: Reading) -> str:
    found = ""
    for each in said.each("response_headers_to_add"):
        each.skip("append_action")
        with each, each.within("header") as header:
            if header.take("key").lower() != SERVED_BY:
                raise header.refuse("key", SERVED_BY)
            found = header.take("value")
    return found


def _rules(said: Reading) -> tuple[Rule, ...]:
    with said, said.within("rbac") as rbac, rbac.within("rules") as rules:
        if rules.take("action") != ALLOW:
            raise rules.refuse("action", "ALLOW")
        found = sorted(rules.by_key("policies").items(), key=lambda each: (len(each[0]), each[0]))
        return tuple(_rule(policy) for _, policy in found)


def _rule(said: Reading) -> Rule:
    with said:
        path, method = "/", ANYONE
        permissions = said.each("permissions")
        if len(permissions) != 1:
            raise said.refuse("permissions", "one")
        with permissions[0] as permission, permission.within("and_rules") as all_of:
            for each in all_of.each("rules"):
                with each:
                    if each.has("url_path"):
                        with each.within("url_path") as url, url.within("path") as matcher:
                            path = matcher.take("prefix")
                    elif each.has("header"):
                        method = _method(each.within("header"))
        callers = tuple(_caller(each) for each in said.each("principals"))
    try:
        return Rule(callers, method, path)
    except ConfigError as error:
        raise Refused(f"{said.path}: {error}") from error


def _method(said: Reading) -> str:
    with said:
        if said.take("name") != ":method":
            raise said.refuse("name", ":method")
        with said.within("string_match") as matcher:
            return str(matcher.take("exact"))


def _caller(said: Reading) -> str:
    with said:
        if said.take("any"):
            return ANYONE
        with said.within("authenticated") as who, who.within("principal_name") as matcher:
            name = str(matcher.take("exact"))
            if not name.startswith(TRUST_DOMAIN):
                raise matcher.refuse("exact", f"{TRUST_DOMAIN}SERVICE")
            return name.removeprefix(TRUST_DOMAIN)
