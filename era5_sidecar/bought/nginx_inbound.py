"""nginx's server for the callers of a service: who are they, may they, how much, how many."""

from collections.abc import Iterable, Iterator
from math import ceil

from era4_framework.config import QuotaConfig
from era5_sidecar.bought import safe
from era5_sidecar.config import ANYONE, InboundConfig, Rule, SidecarConfig, TlsConfig

Lines = list[str]
SMALLEST_ZONE = "32k"
OTHERS = "quota__"  # no caller has this: a name begins with a letter or digit
AMBIGUOUS = safe.AMBIGUOUS.replace("$", "[?]|$")  # its variable holds the query, too


def refusals(certain: str) -> Lines:
    """nginx answers for itself alone in these: what an instance answered goes through as it is.

    certain: whether what was refused at once certainly was not executed, true or false.
    """
    lost = "$certain" if certain == "true" else "false"
    return [
        "default_type application/problem+json;",
        "error_page 403 = @may_not;",
        "error_page 429 = @too_much;",
        "error_page 502 = @lost;",
        "error_page 503 = @not_now;",
        "error_page 504 = @too_late;",
        f"location @may_not {{ return 403 '{safe.problem(403, certain)}'; }}",
        f"location @too_much {{ return 429 '{safe.problem(429, certain)}'; }}",
        f"location @not_now {{ return 503 '{safe.problem(503, certain)}'; }}",
        f"location @too_late {{ return 504 '{safe.problem(504, lost)}'; }}",
        "location @lost {",
        f"    if ($certain = true) {{ return 503 '{safe.problem(503, certain)}'; }}",
        f"    return 502 '{safe.problem(502, 'false')}';",
        "}",
    ]


def indented(lines: Iterable[str]) -> Lines:
    """The lines, one block further in."""
    return [f"    {line}" for line in lines]


def rules(inbound: InboundConfig) -> Iterator[str]:
    """Who is calling, and who may. Raises ConfigError."""
    named = [name for rule in inbound.may for name in rule.callers if name != ANYONE]
    callers = sorted({safe.name(name) for name in [*named, *inbound.quotas] if name != ANYONE})
    # anybody whom the authority knows has a name, even if no rule does
    yield 'map $ssl_client_s_dn $caller { "~^CN=(?<cn>[A-Za-z0-9._-]+)$" $cn; default "-"; }'
    yield 'map "$caller $request_method $uri" $may {'
    yield "    default 0;"
    yield from (
        f'    "~^{_pattern(caller, rule)}" 1;' for rule in inbound.may for caller in rule.callers
    )
    yield "}"
    for caller in callers:
        if caller in inbound.quotas:
            yield f'map $caller $quota_{_word(caller)} {{ "{caller}" "{caller}"; default ""; }}'
    if ANYONE in inbound.quotas:
        own = " ".join(f'"{caller}" "";' for caller in callers if caller in inbound.quotas)
        yield f'map $caller ${OTHERS} {{ {own} default "others"; }}'


def _pattern(caller: str, rule: Rule) -> str:
    who = "[^ ]+" if caller == ANYONE else _literal(safe.name(caller))
    how = "[A-Z]+" if rule.method == ANYONE else safe.method(rule.method, "may.method")
    return f"{who} {how} {_literal(safe.prefix(rule.path, 'may.path'))}"


def _literal(text: str) -> str:
    return text.replace(".", "[.]")


def _word(caller: str) -> str:
    """A part of a variable's name that no other caller's has."""
    return "".join(c if c.isalnum() and c.isascii() else f"_{ord(c):x}_" for c in caller)


def quota_zones(inbound: InboundConfig) -> Iterator[str]:
    """The tables in which requests are counted; a request with an empty key is not."""
    for caller, quota in inbound.quotas.items():
        zone = _zone(caller)
        yield f"limit_req_zone ${zone} zone={zone}:{SMALLEST_ZONE} rate={_rate(quota)};"
    yield f"limit_conn_zone $server_port zone=in_flight:{SMALLEST_ZONE};"


def _zone(caller: str) -> str:
    return OTHERS if caller == ANYONE else f"quota_{_word(safe.name(caller))}"


def _rate(quota: QuotaConfig) -> str:
    if quota.rate_per_s >= 10:
        return f"{round(quota.rate_per_s)}r/s"
    return f"{max(1, round(quota.rate_per_s * 60))}r/m"


def _burst(quota: QuotaConfig) -> str:
    """Beyond the one that is always let through."""
    more = ceil(quota.burst) - 1
    return f" burst={more} nodelay" if more else ""


def server(config: SidecarConfig) -> Lines:
    """The application, and the server before it. Raises ConfigError."""
    inbound, place = config.inbound, safe.app(config.app)
    app = f"unix:{place}" if isinstance(place, str) else "{}:{}".format(*place)
    host, port = safe.address(inbound.listen, "inbound.listen")
    is_mutual = config.tls and not inbound.is_edge
    quotas = [
        f"limit_req zone={_zone(caller)}{_burst(quota)};"
        for caller, quota in inbound.quotas.items()
    ]
    body = [
        f"listen {host}:{port}{' ssl' if is_mutual else ''};",
        "set $direction inbound;",
        *(_server_tls(config.tls) if config.tls and is_mutual else []),
        *refusals("true" if inbound.is_edge else "false"),
        f"proxy_read_timeout {ceil(inbound.deadline_s * 1000)}ms;",
        "proxy_next_upstream off;",
        "location / {",
        f'    if ($request_uri ~ "^(http://[^/]*)?[^?]*{AMBIGUOUS}") {{ return 400; }}',
        "    if ($may = 0) { return 403; }",
        *indented(quotas),
        "    limit_req_status 429;",
        f"    limit_conn in_flight {inbound.most_in_flight};",
        "    limit_conn_status 503;",
        "    proxy_pass http://app;",
        "}",
    ]
    kept = "keepalive 64; keepalive_requests 1000000000;"
    upstream = f"upstream app {{ server {app} max_fails=0; {kept} }}"
    return [upstream, "server {", *indented(body), "}"]


def _server_tls(tls: TlsConfig) -> Lines:
    return [
        "ssl_protocols TLSv1.3;",
        f"ssl_certificate {safe.file(tls.certificate, 'tls.certificate')};",
        f"ssl_certificate_key {safe.file(tls.key, 'tls.key')};",
        f"ssl_client_certificate {safe.file(tls.authority, 'tls.authority')};",
        "ssl_verify_client on;",
    ]
