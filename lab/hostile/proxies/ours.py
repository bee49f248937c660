"""Our sidecar's proxy: its inbound listener at the edge, and the outbound one, as `http_proxy`."""

from __future__ import annotations

import sys

from lab.find import UnknownEra, find
from lab.hostile.proxies.start import Missing, Plan

SIDECAR = """
service = "app"
instance = "app-1"
app = "http://127.0.0.1:{plan.upstream_port}"
admin_listen = "http://127.0.0.1:0"

[inbound]
listen = "http://127.0.0.1:{inbound_port}"
is_edge = true
deadline_s = {plan.limits.answer_s}
settle_s = 0.0
drain_s = 0.0
health_path = "/health"

[[inbound.may]]
callers = ["*"]
method = "*"
path = "/open/"

[limits]
head_s = {plan.limits.head_s}
idle_s = {plan.limits.head_s}
body_s = {plan.limits.body_s}
"""
OUTBOUND = """
[outbound]
listen = "http://127.0.0.1:{plan.port}"

[outbound.services.{name}]
endpoints = ["http://127.0.0.1:{plan.upstream_port}"]

[outbound.services.{name}.client]
deadline_s = {plan.limits.answer_s}
try_timeout_s = {plan.limits.answer_s}
retry = {{ attempts = 1 }}
breaker = {{ consecutive_failures = 1000000 }}
"""
HOST = "a"  # whom the cases ask for


def inbound(plan: Plan) -> list[str]:
    """Write the configuration; return how it is started. Raises Missing."""
    return _command(plan, SIDECAR.format(plan=plan, inbound_port=plan.port))


def outbound(plan: Plan) -> list[str]:
    """The same for the listener of the service's own calls, which no path is closed to."""
    told = SIDECAR.format(plan=plan, inbound_port=0) + OUTBOUND.format(plan=plan, name=HOST)
    return _command(plan, told)


def _command(plan: Plan, told: str) -> list[str]:
    try:
        package = find("5").package
    except UnknownEra:
        raise Missing("there is no era 5 here") from None
    file = plan.folder / "sidecar.toml"
    file.write_text(told)
    return [sys.executable, "-m", package, "proxy", "--config", str(file)]
