"""HAProxy, with connections to the upstream that are used again by anybody.

It does not normalise paths: in the versions that are commonly installed that is an experiment.
"""

from __future__ import annotations

import shutil

from lab.hostile.proxies.start import Missing, Plan

CONFIGURATION = """
global
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client {body_ms}ms
    timeout server {answer_ms}ms
    timeout http-request {head_ms}ms
    timeout http-keep-alive {head_ms}ms
    http-reuse always
frontend inbound
    bind 127.0.0.1:{port}
    http-request deny unless {{ path_beg /open/ }}
    default_backend app
backend app
    server app 127.0.0.1:{upstream_port}
"""


def command(plan: Plan) -> list[str]:
    """Write its configuration; return how it is started. Raises Missing."""
    binary = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if not binary:
        raise Missing("no HAProxy: install it, or put it on PATH")
    file = plan.folder / "haproxy.cfg"
    file.write_text(
        CONFIGURATION.format(
            port=plan.port,
            upstream_port=plan.upstream_port,
            head_ms=round(plan.limits.head_s * 1000),
            body_ms=round(plan.limits.body_s * 1000),
            answer_ms=round(plan.limits.answer_s * 1000),
        )
    )
    return [binary, "-db", "-f", str(file)]
