"""nginx, with connections to the upstream that are kept."""

from __future__ import annotations

import shutil

from lab.hostile.proxies.start import Missing, Plan

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_buffer_size 1m;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout {head_ms}ms; client_body_timeout {body_ms}ms;
    keepalive_timeout {head_ms}ms; proxy_read_timeout {answer_ms}ms;
    upstream app {{ server 127.0.0.1:{upstream_port}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 403; }}
        location /open/ {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_next_upstream off;
        }}
    }}
}}
"""


def command(plan: Plan) -> list[str]:
    """Write its configuration; return how it is started. Raises Missing."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not binary:
        raise Missing("no nginx: install it, or put it on PATH")
    file = plan.folder / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            folder=plan.folder,
            port=plan.port,
            upstream_port=plan.upstream_port,
            head_ms=round(plan.limits.head_s * 1000),
            body_ms=round(plan.limits.body_s * 1000),
            answer_ms=round(plan.limits.answer_s * 1000),
        )
    )
    return [binary, "-p", str(plan.folder), "-c", str(file)]
