"""HAProxy's configuration, from ours (2.6 and later).

| ours | HAProxy's |
|---|---|
| p2c, round robin | `random(2)`, `roundrobin` |
| breaker per instance, probe, cool-down | `observe layer7`: down until a health check connects |
| retry budget, back-off | none: `retries` with `redispatch`, at once |
| retries by method | `retry-on` without the others; what fits its buffer of 16 KiB |
| try timeout | `timeout server` |
| deadline, deadline from hop to hop | none: at worst every try takes its whole time |
| who calls: the URI in the certificate | the subject's CN: it cannot read alternative names |
| quota per caller | a sliding window of requests; those that it refuses count, too |
| shedding | a limit on the connections to the app |
| rules who may | `http-request deny` |
| slow head, silent body | `timeout http-request`, `timeout client` |
| the least rate of a body | none; what fits its buffer has the time of a head, outbound |
| traceparent | made of a UUID, or the caller's with a new span |
| metrics | its Prometheus exporter: no histogram, nothing per caller |
| certainly not executed | only what its own rules refuse: a 503 may follow a lost attempt |
| access log to a file | on stdout, one write for each line; the shell beside it keeps it |
| new instances | the file is written anew; a new worker takes the listening sockets over |
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from era4_framework.config import ClientConfig
from era5_sidecar.bought import safe
from era5_sidecar.bought.haproxy_inbound import Lines, inbound, section, trace
from era5_sidecar.config import OutboundConfig, SidecarConfig, TlsConfig
from era5_sidecar.discovery import Instance

MAIN = "haproxy.cfg"
IDENTITY = "identity.pem"  # its key is looked for beside it, as identity.pem.key
AGAIN = "conn-failure empty-response response-timeout 502 503 504"


def files(
    config: SidecarConfig, known: Mapping[str, Sequence[Instance]], folder: str
) -> dict[str, str]:
    """The one file that HAProxy reads. known: the instances of each service, as registered.

    Raises ConfigError for what cannot be said safely.
    """
    lines = [*_process(config, safe.file(folder, "folder")), *_defaults(config)]
    lines += [*_admin(config), *inbound(config, f"{folder}/{IDENTITY}")]
    if config.outbound:
        lines += _outbound(config, config.outbound, known, folder)
    return {MAIN: "\n".join([*lines, ""])}


def links(config: SidecarConfig) -> dict[str, str]:
    """Files that must be found under these names in the folder, and where they are."""
    if not config.tls:
        return {}
    return {IDENTITY: config.tls.certificate, f"{IDENTITY}.key": config.tls.key}


def command(binary: str, folder: str) -> list[str]:
    """What runs it: a master in the foreground, and one worker that it can replace."""
    return [binary, "-W", "-f", f"{folder}/{MAIN}"]


def check(binary: str, folder: str) -> list[str]:
    """What judges the file without running it."""
    return [binary, "-c", "-q", "-f", f"{folder}/{MAIN}"]


def _process(config: SidecarConfig, folder: str) -> Lines:
    return section(
        "global",
        "nbthread 1",
        f"maxconn {config.limits.most_connections}",
        "no strict-limits",  # rather fewer connections than none
        f"hard-stop-after {ceil(config.inbound.drain_s)}s",
        *(["log stdout format raw local0 info"] if config.log.path else []),
    )


def _defaults(config: SidecarConfig) -> Lines:
    limits = config.limits
    return section(
        "defaults",
        "mode http",
        *(["log global"] if config.log.path else []),
        "timeout connect 1s",
        f"timeout client {_ms(limits.body_s)}",
        f"timeout server {_ms(config.inbound.deadline_s)}",
        f"timeout http-request {_ms(limits.head_s)}",
        f"timeout http-keep-alive {_ms(limits.idle_s)}",
        *(_answer(status) for status in (502, 503, 504)),
    )


def _answer(status: int) -> str:
    """It never knows what was executed."""
    body = safe.problem(status, "false")
    return f"http-error status {status} content-type application/problem+json string '{body}'"


def _admin(config: SidecarConfig) -> Lines:
    host, port = safe.address(config.admin_listen, "admin_listen")
    return section(
        "frontend admin",
        f"bind {host}:{port}",
        f"http-request deny unless {{ req.hdr(host) {host}:{port} localhost:{port} }}",
        "http-request return status 200 if { path /ready }",
        "http-request use-service prometheus-exporter if { path /stats }",
        "http-request return status 404",
    )


def _outbound(
    config: SidecarConfig,
    calls: OutboundConfig,
    known: Mapping[str, Sequence[Instance]],
    folder: str,
) -> Iterator[str]:
    host, port = safe.address(calls.listen, "outbound.listen")
    yield from section(
        "frontend outbound",
        f"bind {host}:{port}",
        "option http-buffer-request",  # what was passed on as it came cannot be sent again
        *trace("outbound", config.log),
        "http-request set-uri %[pathq]",  # clients of a proxy send http://inventory/...
        *(
            f"use_backend service-{safe.name(name)} if {{ req.hdr(host),field(1,:) -i {name} }}"
            for name in calls.services
        ),
        "default_backend nobody",
    )
    yield from section("backend nobody", "http-request return status 404")
    for service, upstream in calls.services.items():
        found = [Instance(f"static-{n}", url) for n, url in enumerate(upstream.endpoints)]
        instances = found or known.get(service, ())
        yield from _backend(service, upstream.client, instances, config.tls, folder)


def _backend(
    service: str,
    client: ClientConfig,
    instances: Sequence[Instance],
    tls: TlsConfig | None,
    folder: str,
) -> Lines:
    check_s, fails = client.breaker.cool_down_s, max(1, client.breaker.consecutive_failures)
    watch = f"check inter {_ms(check_s)} rise 1 fall 3 observe layer7 error-limit {fails}"
    secure = f" {_tls(tls, service, folder)}" if tls else ""
    return section(
        f"backend service-{service}",
        f"balance {'random(2)' if client.balancer.kind == 'p2c' else 'roundrobin'}",
        f"timeout connect {_ms(client.try_timeout_s)}",
        f"timeout server {_ms(client.try_timeout_s)}",
        f"retries {client.retry.attempts - 1}",
        "option redispatch 1",
        f"retry-on {AGAIN}",
        "http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
        f"default-server {watch} on-error mark-down{secure}",
        *(
            "server {} {}:{}".format(
                safe.name(each.name), *safe.address(each.url, f"endpoint of {service}")
            )
            for each in instances
        ),
    )


def _tls(tls: TlsConfig, service: str, folder: str) -> str:
    authority = safe.file(tls.authority, "tls.authority")
    return (
        f"ssl crt {folder}/{IDENTITY} ca-file {authority} verify required "
        f"verifyhost {service} sni str({service}) ssl-min-ver TLSv1.3"
    )


def _ms(seconds: float) -> str:
    return f"{ceil(seconds * 1000)}ms"
