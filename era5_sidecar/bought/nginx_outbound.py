"""nginx's servers for the calls of a service: whom, how often, for how long."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from era4_framework.config import BreakerConfig, ClientConfig
from era5_sidecar.bought import safe
from era5_sidecar.bought.nginx_inbound import Lines, indented, refusals
from era5_sidecar.config import OutboundConfig, SidecarConfig, TlsConfig, UpstreamConfig
from era5_sidecar.discovery import Instance


def outbound(
    config: SidecarConfig, calls: OutboundConfig, known: Mapping[str, Sequence[Instance]]
) -> Iterator[str]:
    """An upstream and a server for each service. Raises ConfigError."""
    where = "{}:{}".format(*safe.address(calls.listen, "outbound.listen"))
    for service, upstream in calls.services.items():
        urls = upstream.endpoints or [each.url for each in known.get(service, ())]
        if urls:
            yield from _upstream(safe.name(service), upstream, urls)
        yield from _calls(where, safe.name(service), upstream.client, config.tls, bool(urls))
    # who is asked for a name that nobody configured
    yield f"server {{ listen {where} default_server; set $direction outbound; return 404; }}"


def _upstream(service: str, upstream: UpstreamConfig, urls: Sequence[str]) -> Lines:
    fails = _fails(upstream.client.breaker)
    servers = [
        "server {}:{} {};".format(*safe.address(url, f"endpoint of {service}"), fails)
        for url in urls
    ]
    choice = ["random two least_conn;"] if upstream.client.balancer.kind == "p2c" else []
    body = [*choice, *servers, f"keepalive {min(1000, upstream.most_connections)};"]
    return [f"upstream to-{service} {{", *indented([*body, "keepalive_requests 1000000000;"]), "}"]


def _fails(breaker: BreakerConfig) -> str:
    out_s = max(1, round(breaker.cool_down_s))  # whole seconds only
    return f"max_fails={max(1, breaker.consecutive_failures)} fail_timeout={out_s}s"


def _calls(
    where: str, service: str, client: ClientConfig, tls: TlsConfig | None, is_known: bool
) -> Lines:
    try_ms = ceil(client.try_timeout_s * 1000)
    again = "error timeout http_502 http_503 http_504" if client.retry.attempts > 1 else "off"
    body = [
        f"listen {where};",
        f"server_name {service};",
        "set $direction outbound;",
        f"proxy_connect_timeout {try_ms}ms;",
        f"proxy_read_timeout {try_ms}ms;",
        f"proxy_send_timeout {try_ms}ms;",
        f"proxy_next_upstream {again};",
        f"proxy_next_upstream_tries {client.retry.attempts};",
        f"proxy_next_upstream_timeout {ceil(client.deadline_s * 1000)}ms;",
        *(_client_tls(tls, service) if tls else []),
        *refusals("true"),
        f"location / {{ proxy_pass {'https' if tls else 'http'}://to-{service}; }}"
        if is_known
        else "location / { return 503; }",
    ]
    return ["server {", *indented(body), "}"]


def _client_tls(tls: TlsConfig, service: str) -> Lines:
    return [
        "proxy_ssl_protocols TLSv1.3;",
        f"proxy_ssl_certificate {safe.file(tls.certificate, 'tls.certificate')};",
        f"proxy_ssl_certificate_key {safe.file(tls.key, 'tls.key')};",
        f"proxy_ssl_trusted_certificate {safe.file(tls.authority, 'tls.authority')};",
        "proxy_ssl_verify on;",
        "proxy_ssl_server_name on;",
        f"proxy_ssl_name {service};",
    ]
