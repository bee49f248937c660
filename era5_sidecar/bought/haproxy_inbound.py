"""HAProxy's frontend for the callers of a service: who are they, may they, how much, how many."""

from collections.abc import Iterator
from math import ceil

from era5_sidecar.bought import safe
from era5_sidecar.config import ANYONE, InboundConfig, LogConfig, Rule, SidecarConfig

Lines = list[str]
CALLERS = "1k"  # so many are counted at once
TRACEPARENT = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
LINE = (
    "%T {direction} %[var(txn.caller)] %HM %HP %ST %Ta %s %rc 00-%[var(txn.trace)]-%[var(txn.span)]"
)


def section(title: str, *lines: str) -> Lines:
    """A section of the file."""
    return [title, *(f"    {line}" for line in lines)]


def trace(direction: str, log: LogConfig) -> Iterator[str]:
    """Ids for the request, and its line in the log."""
    kept = f"{{ req.hdr(traceparent) -m reg {TRACEPARENT} }}"
    new = "uuid(),regsub(-,,g)"
    yield f"http-request set-var(txn.trace) req.hdr(traceparent),field(2,-) if {kept}"
    yield f"http-request set-var(txn.trace) {new} unless {kept}"
    yield f"http-request set-var(txn.span) {new},bytes(0,16)"
    yield "http-request set-header traceparent 00-%[var(txn.trace)]-%[var(txn.span)]-01"
    yield "http-request set-header x-request-id %[uuid()] unless { req.hdr(x-request-id) -m found }"
    if log.path:
        yield f"log-format '{LINE.replace('{direction}', direction)}'"


def inbound(config: SidecarConfig, identity: str) -> Iterator[str]:
    """The frontend, the tables that count, the application. Raises ConfigError."""
    rules, place = config.inbound, safe.app(config.app)
    app = f"unix@{place}" if isinstance(place, str) else "{}:{}".format(*place)
    yield from section(
        "frontend inbound",
        _bind(config, identity),
        *trace("inbound", config.log),
        "http-request set-var(txn.caller) str(-)",
        *(["http-request set-var(txn.caller) ssl_c_s_dn(CN)"] if _is_mutual(config) else []),
        f"http-request deny deny_status 400 if {{ path -m reg '{safe.AMBIGUOUS}' }}",
        *(_may(rule) for rule in rules.may for rule in _each_caller(rule)),
        f"http-request deny {_problem(403, rules)} unless {{ var(txn.may) -m bool }}",
        *_quotas(rules),
        f"http-request deny {_problem(503, rules)} if {{ be_conn(app) ge {rules.most_in_flight} }}",
        "default_backend app",
    )
    for caller, quota in rules.quotas.items():
        window_s = max(1, round(quota.burst / quota.rate_per_s))
        store = f"size {CALLERS} expire {2 * window_s}s store http_req_rate({window_s}s)"
        yield from section(f"backend {_table(caller)}", f"stick-table type string len 64 {store}")
    yield from section(
        "backend app", f"timeout server {ceil(rules.deadline_s * 1000)}ms", f"server app {app}"
    )


def _is_mutual(config: SidecarConfig) -> bool:
    return config.tls is not None and not config.inbound.is_edge


def _bind(config: SidecarConfig, identity: str) -> str:
    where = "bind {}:{}".format(*safe.address(config.inbound.listen, "inbound.listen"))
    if not config.tls or config.inbound.is_edge:
        return where
    authority = safe.file(config.tls.authority, "tls.authority")
    return f"{where} ssl crt {identity} ca-file {authority} verify required ssl-min-ver TLSv1.3"


def _each_caller(rule: Rule) -> Iterator[Rule]:
    yield from (Rule((caller,), rule.method, rule.path) for caller in rule.callers)


def _may(rule: Rule) -> str:
    (caller,) = rule.callers
    conditions = [f"{{ path_beg {safe.prefix(rule.path, 'may.path')} }}"]
    if caller != ANYONE:
        conditions.append(f"{{ var(txn.caller) -m str {safe.name(caller)} }}")
    if rule.method != ANYONE:
        conditions.append(f"{{ method {safe.method(rule.method, 'may.method')} }}")
    return f"http-request set-var(txn.may) bool(true) if {' '.join(conditions)}"


def _quotas(rules: InboundConfig) -> Iterator[str]:
    for caller in rules.quotas:
        if caller != ANYONE:
            mine = f"{{ var(txn.caller) -m str {safe.name(caller)} }}"
            yield from _limit(caller, rules, mine)
    if ANYONE in rules.quotas:
        own = " ".join(safe.name(caller) for caller in rules.quotas if caller != ANYONE)
        others = f"!{{ var(txn.caller) -m str {own} }}" if own else "TRUE"
        yield from _limit(ANYONE, rules, others)


def _limit(caller: str, rules: InboundConfig, condition: str) -> Lines:
    """Among others all share one line of the table: what is counted is the rule, not the caller."""
    table = _table(caller)
    return [
        f"http-request track-sc0 str(all) table {table} if {condition}",
        f"http-request deny {_problem(429, rules)} if {condition} "
        f"{{ sc_http_req_rate(0,{table}) gt {max(1, round(rules.quotas[caller].burst))} }}",
    ]


def _table(caller: str) -> str:
    return "quota:others" if caller == ANYONE else f"quota-{safe.name(caller)}"


def _problem(status: int, rules: InboundConfig) -> str:
    body = safe.problem(status, "true" if rules.is_edge else "false")
    return f"deny_status {status} content-type application/problem+json string '{body}'"
