"""Our sidecar's proxy: the inbound listener at the edge."""

from __future__ import annotations

import sys

from lab.find import UnknownEra, find
from lab.hostile.proxies.start import Missing, Plan

CONFIGURATION = """
service = "app"
instance = "app-1"
app = "http://127.0.0.1:{plan.upstream_port}"
admin_listen = "http://127.0.0.1:0"

[inbound]
listen = "http://127.0.0.1:{plan.port}"
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


def command(plan: Plan) -> list[str]:
    """Write its configuration; return how it is started. Raises Missing."""
    try:
        package = find("5").package
    except UnknownEra:
        raise Missing("there is no era 5 here") from None
    file = plan.folder / "sidecar.toml"
    file.write_text(CONFIGURATION.format(plan=plan))
    return [sys.executable, "-m", package, "proxy", "--config", str(file)]
