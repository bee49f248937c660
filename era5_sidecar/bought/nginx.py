"""nginx's configuration, from ours (open source nginx, no module but those of every package).

| ours | nginx's |
|---|---|
| p2c, round robin | `random two least_conn`, its own round robin |
| breaker per instance, probe, cool-down | `max_fails` in `fail_timeout`; never the last one |
| retry budget, back-off | none: the next instance at once, each at most once |
| retries by method | `proxy_next_upstream`: not POST, PATCH, LOCK |
| try timeout, deadline | between two reads; tries end at `proxy_next_upstream_timeout` |
| deadline from hop to hop | none |
| who calls: the URI in the certificate | the subject's CN: it cannot read alternative names |
| quota per caller | `limit_req`: a leaky bucket, one zone per caller |
| shedding | `limit_conn`, which counts requests, not idle connections |
| rules who may | a `map` over caller, method and path |
| slow head, silent body | `client_header_timeout`, `client_body_timeout` |
| the least rate of a body | none: `client_body_timeout`, too, is between two reads |
| traceparent | a `map`: made of its request id, or the caller's with a new span |
| metrics | seven numbers (`stub_status`): no histogram, nothing per caller |
| certainly not executed | by the bytes that it sent to any instance |
| new instances | the file is written anew; a reload closes idle connections |
"""

import grp
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from era5_sidecar.bought import safe
from era5_sidecar.bought.nginx_inbound import Lines, indented, quota_zones, rules, server
from era5_sidecar.bought.nginx_outbound import outbound
from era5_sidecar.config import LogConfig, SidecarConfig
from era5_sidecar.discovery import Instance

MAIN = "nginx.conf"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # else it wants /var/lib/nginx
LINE = (
    "$time_iso8601 $direction $caller $request_method $uri $status $request_time "
    "$upstream_addr $upstream_status $trace"
)
TRACEPARENT = "~^00-(?<id>[0-9a-f]{32})-[0-9a-f]{16}-(?<flags>[0-9a-f]{2})$"


def files(
    config: SidecarConfig, known: Mapping[str, Sequence[Instance]], folder: str
) -> dict[str, str]:
    """The one file that nginx reads. known: the instances of each service, as registered.

    Raises ConfigError for what cannot be said safely.
    """
    lines = [*_process(config, safe.file(folder, "folder")), "http {"]
    lines += indented(
        [*_common(config, folder), *rules(config.inbound), *quota_zones(config.inbound)]
    )
    lines += indented([*server(config), *_admin(config)])
    if config.outbound:
        lines += indented(outbound(config, config.outbound, known))
    return {MAIN: "\n".join([*lines, "}", ""])}


def links(config: SidecarConfig) -> dict[str, str]:
    """Files that must be found under other names: none."""
    return {}


def command(binary: str, folder: str) -> list[str]:
    """What runs it, in the foreground."""
    # started by root it would make its workers somebody who may not open the app's socket
    user = ["-g", f"user {_me()};"] if os.geteuid() == 0 else []
    return [binary, "-p", folder, "-c", f"{folder}/{MAIN}", "-e", "stderr", *user]


def check(binary: str, folder: str) -> list[str]:
    """What judges the file without running it."""
    return [*command(binary, folder), "-t", "-q"]


def _me() -> str:
    return f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"


def _process(config: SidecarConfig, folder: str) -> Lines:
    connections = 2 * config.limits.most_connections + 64  # one on each side
    return [
        "daemon off;",
        "worker_processes 1;",
        f"worker_shutdown_timeout {ceil(config.inbound.drain_s)}s;",
        f"pid {folder}/nginx.pid;",
        "error_log stderr error;",
        f"events {{ worker_connections {connections}; }}",
    ]


def _common(config: SidecarConfig, folder: str) -> Iterator[str]:
    limits = config.limits
    yield from (f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY)
    yield "server_tokens off;"
    yield "limit_req_log_level info;"
    yield "limit_conn_log_level info;"
    yield f"keepalive_timeout {ceil(limits.idle_s)}s;"
    yield "keepalive_requests 1000000000;"
    yield f"client_header_timeout {ceil(limits.head_s)}s;"
    yield f"client_body_timeout {ceil(limits.body_s)}s;"
    yield f"large_client_header_buffers 4 {max(1, limits.most_head_bytes // 1024)}k;"
    yield "client_max_body_size 0;"
    yield f"client_body_buffer_size {limits.replay_bytes};"
    yield "proxy_max_temp_file_size 0;"
    yield "proxy_http_version 1.1;"
    yield 'proxy_set_header Connection "";'
    yield "proxy_set_header Host $http_host;"
    yield "proxy_set_header traceparent $trace;"
    yield "proxy_set_header X-Request-Id $request_id;"
    yield 'map $request_id $span { "~^(?<half>[0-9a-f]{16})" $half; }'
    yield (
        f'map $http_traceparent $trace {{ "{TRACEPARENT}" "00-$id-$span-$flags"; '
        'default "00-$request_id-$span-01"; }'
    )
    # one number for each attempt, "-" or 0 where nothing was sent
    yield 'map $upstream_bytes_sent $certain { "~^[-0, :]*$" true; default false; }'
    yield from _log(config.log)


def _log(log: LogConfig) -> Lines:
    if not log.path:
        return ["access_log off;"]
    path = "/dev/stdout" if log.path == "-" else safe.file(log.path, "log.path")
    flush = f" buffer=64k flush={max(1, round(log.every_s))}s"
    return [f"log_format line '{LINE}';", f"access_log {path} line{flush};"]


def _admin(config: SidecarConfig) -> Lines:
    host, port = safe.address(config.admin_listen, "admin_listen")
    body = [
        f"listen {host}:{port};",
        "access_log off;",
        "set $direction admin;",
        "location = /stats { stub_status; }",
        "location = /ready { return 200; }",
        "location / { return 404; }",
    ]
    return ["server {", *indented(body), "}"]
