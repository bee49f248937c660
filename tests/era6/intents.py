"""Intents that make sense, and who is there, for tests that claim something of all of them."""

import itertools

from hypothesis import strategies as st

from era4_framework.config import (
    BackoffConfig,
    BalancerConfig,
    BreakerConfig,
    BudgetConfig,
    ClientConfig,
    QuotaConfig,
    RetryConfig,
)
from era5_sidecar.config_inbound import ANYONE, METHODS, Rule
from era5_sidecar.config_sections import LimitsConfig
from era6_control_plane.compile import PROXYLESS, Node
from era6_control_plane.intent import (
    ALL,
    PERMISSIVE,
    STRICT,
    FaultIntent,
    Intent,
    MeshIntent,
    RouteIntent,
    ServiceIntent,
)
from era6_control_plane.membership import Endpoint

NAMES = ("orders", "inventory", "suppliers", "collector", "inbound", "outbound")
VERSIONS = ("v1", "v2", "2026.11-rc_1")
PATHS = ("/catalogue", "/reservations/", "/a.b~c/")  # none begins another
METHODS_OR_ANY = (*METHODS, ANYONE)
FIELDS = ("x-tester", "X-Group", "cookie")

ORDERS = Node("orders-1", "orders", "", "http://127.0.0.1:18001", "http://127.0.0.1:18002",
              "unix:/tmp/orders.sock")  # fmt: skip
INVENTORY = Node("inventory-1", "inventory", "v1", "http://127.0.0.1:18011", "",
                 "http://127.0.0.1:18013")  # fmt: skip
GRPC = Node("grpc-1", "orders", kind=PROXYLESS)
MAY = (
    Rule(("orders",), "GET", "/catalogue"),
    Rule(("orders",), "PUT", "/reservations/"),
    Rule(("orders",), "DELETE", "/reservations/"),
)
CUSTOMERS = ServiceIntent(is_edge=True, may=(Rule((ANYONE,), ANYONE, "/"),))
THERE = (
    Endpoint("inventory", "inventory-1", "v1", "http://127.0.0.1:18011"),
    Endpoint("inventory", "inventory-2", "v2", "http://127.0.0.1:18021"),
)


def shop(*routes: RouteIntent, **others: object) -> Intent:
    """Orders at the edge, and inventory in two versions, whose `ServiceIntent` has `others`."""
    told = {"versions": ("v1", "v2"), "may": MAY, "routes": routes} | others
    services = {"orders": CUSTOMERS, "inventory": ServiceIntent(**told)}  # type: ignore[arg-type]
    return Intent(services)


seconds = st.floats(0.001, 3600)
shares = st.floats(0, 100)
quotas = st.builds(QuotaConfig, st.floats(0.001, 1e6), st.floats(1, 1e6))


@st.composite
def faults(draw: st.DrawFn) -> FaultIntent | None:
    delay_s = draw(st.sampled_from((0.0, 0.001, 0.5)))
    status = draw(st.sampled_from((0, 400, 503, 599)))
    if not delay_s and not status:
        return None
    return FaultIntent(delay_s, draw(shares), status, draw(shares))


@st.composite
def weights(draw: st.DrawFn, versions: tuple[str, ...]) -> dict[str, int]:
    """Shares of some of the versions, none of none; they add up to ALL."""
    chosen = draw(st.lists(st.sampled_from(versions), unique=True)) if versions else []
    if not chosen:
        return {}
    cuts = sorted(draw(st.integers(0, ALL)) for _ in chosen[1:])
    return {
        version: after - before
        for version, (before, after) in zip(
            chosen, itertools.pairwise((0, *cuts, ALL)), strict=True
        )
    }


@st.composite
def route(
    draw: st.DrawFn, path: str, versions: tuple[str, ...], client: ClientConfig
) -> RouteIntent:
    fields = draw(
        st.dictionaries(st.sampled_from(FIELDS), st.text("ab%=\"'", min_size=1, max_size=5))
    )
    deadline_s = draw(st.sampled_from((0.0, client.deadline_s * 2)))
    try_timeout_s = draw(st.sampled_from((0.0, client.deadline_s / 2)))
    return RouteIntent(
        headers=fields,
        method=draw(st.sampled_from(METHODS_OR_ANY)),
        path=path,
        to=draw(weights(versions)),
        deadline_s=min(3600.0, deadline_s),
        try_timeout_s=try_timeout_s if try_timeout_s >= 0.001 else 0.0,
        attempts=draw(st.integers(0, 10)),
        fault=draw(faults()),
    )


@st.composite
def clients(draw: st.DrawFn) -> ClientConfig:
    try_timeout_s, deadline_s = sorted((draw(seconds), draw(seconds)))
    base_s, cap_s = sorted((draw(seconds), draw(seconds)))
    cool_down_s, longest_s = sorted((draw(seconds), draw(seconds)))
    consecutive = draw(st.integers(0, 1_000_000))
    percent = draw(shares)
    budget = BudgetConfig(draw(st.floats(0, 1000)), draw(st.floats(0, 1e6)))
    retry = RetryConfig(draw(st.integers(1, 10)), BackoffConfig(base_s, cap_s), budget)
    breaker = BreakerConfig(
        consecutive_failures=consecutive if percent else max(1, consecutive),
        failure_percent=percent,
        window_s=draw(seconds),
        cool_down_s=cool_down_s,
        longest_cool_down_s=longest_s,
    )
    balancer = BalancerConfig(draw(st.sampled_from(("p2c", "round_robin"))))
    return ClientConfig(deadline_s, try_timeout_s, 0.5, retry, breaker, balancer)


@st.composite
def services(draw: st.DrawFn, known: tuple[str, ...]) -> ServiceIntent:
    """Of some of the names that are known; never an edge."""
    versions = tuple(draw(st.lists(st.sampled_from(VERSIONS), unique=True)))
    client = draw(st.one_of(st.just(ClientConfig()), clients()))
    named = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True).map(tuple)
    callers = st.one_of(st.just((ANYONE,)), named)
    paths = st.sampled_from(("/", *PATHS))
    rules = st.builds(Rule, callers, st.sampled_from(METHODS_OR_ANY), paths)
    may = draw(st.lists(rules, max_size=3, unique=True))
    limited = {ANYONE, *(caller for rule in may for caller in rule.callers)}
    listed = draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=3))
    found = [draw(route(path, versions, client)) for path in listed]
    if draw(st.booleans()):
        found.append(RouteIntent(to=draw(weights(versions)), fault=draw(faults())))
    return ServiceIntent(
        versions=versions,
        most_in_flight=draw(st.integers(1, 100_000)),
        inbound_deadline_s=draw(seconds),
        may=tuple(may),
        quotas=draw(st.dictionaries(st.sampled_from(sorted(limited)), quotas, max_size=3)),
        client=client,
        most_connections=draw(st.integers(1, 100_000)),
        routes=tuple(found),
    )


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    """Any that an operator might mean: `orders`, perhaps at the edge, and up to four more."""
    others = draw(st.lists(st.sampled_from(NAMES[1:]), unique=True, max_size=4))
    known = ("orders", *others)
    found = {name: draw(services(known)) for name in known}
    if draw(st.booleans()):
        found["orders"] = CUSTOMERS
    limits = LimitsConfig(
        most_head_bytes=draw(st.integers(1024, 65535)), replay_bytes=draw(st.integers(0, 2**30))
    )
    mtls = draw(st.sampled_from((STRICT, PERMISSIVE)))
    return Intent(found, MeshIntent(mtls, draw(st.floats(2, 90 * 86400)), limits))


def endpoints(intent: Intent) -> st.SearchStrategy[list[Endpoint]]:
    """Instances of its services, no two of one name; some where another is, too."""
    hosts = st.sampled_from(("127.0.0.1", "10.0.0.7", "[::1]", "[2001:db8::7]"))
    urls = st.builds("http://{}:{}".format, hosts, st.integers(1, 65535))
    one = st.sampled_from(sorted(intent.services)).flatmap(
        lambda name: st.builds(
            Endpoint,
            st.just(name),
            st.integers(1, 9).map(lambda number: f"{name}-{number}"),
            st.sampled_from((*intent.services[name].versions, "")),
            urls,
        )
    )
    return st.lists(one, max_size=12, unique_by=lambda each: each.instance)
