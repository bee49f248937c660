"""From an intent to what a node is told: what changes with what, who is let in, who is asked."""

import dataclasses
import random
from collections.abc import Sequence

import pytest
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from era4_framework.config import BreakerConfig, ClientConfig, QuotaConfig
from era5_sidecar.config_inbound import ANYONE, Rule
from era6_control_plane import consistency, intent_rules
from era6_control_plane.compile import Node, compile
from era6_control_plane.intent import FaultIntent, Intent, MeshIntent, RouteIntent, ServiceIntent
from era6_control_plane.membership import Endpoint
from era6_control_plane.names import CDS, EDS, LDS, ORDER, RDS, SHORT
from era6_control_plane.snapshot import Resource, Snapshot
from tests.era6.intents import (
    CUSTOMERS,
    GRPC,
    INVENTORY,
    MAY,
    ORDERS,
    THERE,
    endpoints,
    intents,
    shop,
)
from tests.era6.validate import accepted, judged, managers, unpacked

ALL = "outbound|inventory|"


def changed(before: Intent, after: Intent, node: Node) -> list[str]:
    """Which kinds of resources a change of intent changes."""
    return differ(compile(before, THERE, node), compile(after, THERE, node))


def differ(one: Snapshot, other: Snapshot) -> list[str]:
    return [SHORT[kind] for kind in ORDER if one.version(kind) != other.version(kind)]


def hosts(snapshot: Snapshot) -> dict:
    """The virtual hosts of the outbound routes, by name."""
    return {each.name: each for each in unpacked(snapshot.of(RDS)["outbound"]).virtual_hosts}


def addresses(snapshot: Snapshot, cluster: str) -> list[tuple[str, int]]:
    found = unpacked(snapshot.of(EDS)[cluster]).endpoints
    placed = [each.endpoint.address.socket_address for here in found for each in here.lb_endpoints]
    return [(each.address, each.port_value) for each in placed]


# ---- what changes with what


POLICIES = {
    "1. a weight": (shop(RouteIntent(to={"v1": 90, "v2": 10})), ORDERS),
    "2. a canary's header": (shop(RouteIntent({"x-tester": "yes"}, to={"v2": 100}),
                                  RouteIntent(to={"v1": 100, "v2": 0})), ORDERS),
    "3. a fault": (shop(RouteIntent(to={"v1": 100, "v2": 0}, fault=FaultIntent(0.1))), ORDERS),
    "4. times and attempts": (shop(RouteIntent(to={"v1": 100, "v2": 0}, deadline_s=1, attempts=1)),
                              ORDERS),
    "5. a quota": (shop(quotas={"orders": QuotaConfig(1, 1)}), INVENTORY),
    "6. who may": (shop(may=MAY[1:]), INVENTORY),
    "7. a service's deadline": (shop(inbound_deadline_s=1.0), INVENTORY),
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_a_change_of_policy_is_told_by_routes_alone(name):
    """A changed listener leaves open connections on what was said before; a cluster is warmed."""
    after, node = POLICIES[name]
    before = shop(RouteIntent(to={"v1": 100, "v2": 0})) if node is ORDERS else shop()
    assert changed(before, after, node) == ["RDS"]


def test_a_breaker_is_told_by_its_cluster_and_a_limit_by_a_listener():
    patient = ClientConfig(breaker=BreakerConfig(consecutive_failures=9))
    assert changed(shop(), shop(client=patient), ORDERS) == ["CDS"]
    longer = Intent(shop().services, MeshIntent(certificate_life_s=7200.0))
    assert changed(shop(), longer, INVENTORY) == ["LDS"]


def test_who_comes_and_goes_is_told_by_assignments_alone():
    more = (*THERE, Endpoint("inventory", "inventory-3", "v1", "http://127.0.0.1:18031"))
    for there in (more, THERE[:1], ()):
        assert differ(compile(shop(), THERE, ORDERS), compile(shop(), there, ORDERS)) == ["EDS"]
        assert differ(compile(shop(), THERE, INVENTORY), compile(shop(), there, INVENTORY)) == []


def test_nobody_is_told_of_a_change_that_is_not_theirs():
    other = {**shop().services, "reports": ServiceIntent(may=(Rule(("inventory",), "GET", "/"),))}
    longer = dataclasses.replace(other["reports"], inbound_deadline_s=1.0)
    assert changed(Intent(other), Intent({**other, "reports": longer}), ORDERS) == []


@settings(max_examples=25)
@given(intents(), st.data(), st.integers(0, 2**32))
def test_the_order_in_which_things_are_said_does_not_matter(intent, data, seed):
    there = data.draw(endpoints(intent))
    rng = random.Random(seed)
    turned = Intent(shuffled(intent.services, rng), intent.mesh)
    for node in (ORDERS, GRPC):
        before = compile(intent, there, node)
        after = compile(turned, rng.sample(there, len(there)), node)
        assert before == after and not differ(before, after)


def shuffled(services: dict[str, ServiceIntent], rng: random.Random) -> dict[str, ServiceIntent]:
    """The same services, whatever is named in them in another order; rules and routes keep theirs,
    as the first that fits counts."""
    names = rng.sample(sorted(services), len(services))
    return {
        name: dataclasses.replace(
            services[name],
            quotas=dict(reversed(services[name].quotas.items())),
            routes=tuple(
                dataclasses.replace(
                    each,
                    to=dict(reversed(each.to.items())),
                    headers=dict(reversed(each.headers.items())),
                )
                for each in services[name].routes
            ),
        )
        for name in names
    }


@settings(max_examples=25)
@given(intents(), st.data())
def test_every_intent_that_is_accepted_makes_a_consistent_snapshot(intent, data):
    intent_rules.check(intent)
    there = data.draw(endpoints(intent))
    for node in (ORDERS, dataclasses.replace(ORDERS, outbound=""), GRPC):
        consistency.check(compile(intent, there, node))


# ---- who may


def test_what_no_rule_allows_is_refused():
    """1. listener without routes  2. service without rules"""
    snapshot = compile(shop(may=()), THERE, INVENTORY)
    (manager,) = managers(unpacked(snapshot.of(LDS)["inbound"]))
    assert nobody_may(manager.http_filters[0].typed_config, "rules")
    (host,) = unpacked(snapshot.of(RDS)["inbound"]).virtual_hosts
    assert nobody_may(host.typed_per_filter_config["rbac"], "rbac")


def nobody_may(packed, field: str) -> bool:
    filter_ = rbac_pb2.RBAC() if field == "rules" else rbac_pb2.RBACPerRoute()
    assert packed.Unpack(filter_)
    rules = filter_.rules if field == "rules" else filter_.rbac.rules
    is_told = filter_.HasField("rules") if field == "rules" else filter_.rbac.HasField("rules")
    return is_told and rules.action == 0 and not rules.policies


def test_who_may_not_call_is_not_told_where():
    snapshot = compile(shop(may=()), THERE, ORDERS)
    assert not snapshot.of(EDS)
    assert set(snapshot.of(CDS)) == {"app", "collector"}
    forbidden = hosts(snapshot)["|forbidden"]
    assert list(forbidden.domains) == ["inventory", "inventory:80"]
    assert forbidden.routes[0].direct_response.status == 403
    assert set(hosts(compile(shop(), THERE, ORDERS))) == {"inventory", "|unknown"}


def test_customers_alone_call_the_edge():
    told = compile(shop(), THERE, dataclasses.replace(INVENTORY, outbound="http://127.0.0.1:1"))
    assert list(hosts(told)["|forbidden"].domains) == ["inventory", "inventory:80"]
    anybody = shop(may=(Rule((ANYONE,), "GET", "/"),))
    node = dataclasses.replace(INVENTORY, outbound="http://127.0.0.1:1")
    assert set(hosts(compile(anybody, THERE, node))) == {"inventory", "|unknown"}


def test_who_is_not_known_is_answered_with_who_is():
    (route,) = hosts(compile(shop(), THERE, ORDERS))["|unknown"].routes
    assert "accepted: inventory" in route.direct_response.body.inline_string
    many = {f"service-{number}": shop().services["inventory"] for number in range(500)}
    told = compile(Intent({"orders": CUSTOMERS, **many}), (), ORDERS)
    (route,) = hosts(told)["|unknown"].routes
    assert len(route.direct_response.body.inline_string) < 4096  # Envoy takes no more


def test_only_the_edge_takes_callers_without_a_certificate():
    """1. strict  2. permissive: plain text has a chain of its own  3. edge"""
    permissive = Intent(shop().services, MeshIntent(mtls="permissive"))
    for intent, node, guarded in (
        (shop(), INVENTORY, [True]),
        (permissive, INVENTORY, [True, False]),
        (permissive, ORDERS, [False]),
    ):
        listener = unpacked(compile(intent, THERE, node).of(LDS)["inbound"])
        assert [chain.HasField("transport_socket") for chain in listener.filter_chains] == guarded


# ---- who is asked


def test_an_instance_is_in_the_cluster_of_its_version_and_in_that_of_all():
    snapshot = compile(shop(RouteIntent(to={"v1": 50, "v2": 50}, method="GET")), THERE, ORDERS)
    assert addresses(snapshot, ALL) == [("127.0.0.1", 18011), ("127.0.0.1", 18021)]
    assert addresses(snapshot, ALL + "v2") == [("127.0.0.1", 18021)]


def test_a_version_without_an_instance_has_an_empty_assignment():
    """Envoy would wait 15 s for one that is missing."""
    snapshot = compile(shop(RouteIntent(to={"v1": 100, "v2": 0})), THERE[:1], ORDERS)
    assert addresses(snapshot, ALL + "v2") == []
    assert snapshot.of(EDS).keys() == {ALL + "v1", ALL + "v2"}


STRANGE = [
    "",
    "http://127.0.0.1",
    "http://127.0.0.1:0",
    "http://127.0.0.1:70000",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:080",
    "http://user@127.0.0.1:80",
    "http://localhost:80",
    "http://[::1%eth0]:80",
    "http://[::1]",
    "https://127.0.0.1:80",
    "unix:/var/run/docker.sock",
    "http://127.0.0.1:١",
    "http://[0:0::1]:80",
    "http://[",
]


@pytest.mark.parametrize("url", STRANGE)
def test_an_instance_that_says_nonsense_hides_no_other(url):
    there = (Endpoint("inventory", "a", "v1", url), *THERE)
    assert compile(shop(), there, ORDERS) == compile(shop(), THERE, ORDERS)


def test_an_address_is_asked_once_whoever_says_it():
    there = (*THERE, Endpoint("inventory", "z", "v1", THERE[0].url))
    assert compile(shop(), there, ORDERS) == compile(shop(), THERE, ORDERS)
    (six,) = addresses(
        compile(shop(), [Endpoint("inventory", "a", "", "http://[::1]:9")], ORDERS), ALL
    )
    assert six == ("::1", 9)


# ---- routes


def test_only_what_is_idempotent_is_sent_again_after_it_was_perhaps_executed():
    """1. any method: two routes  2. one method: that one's"""
    one, other = hosts(compile(shop(), THERE, ORDERS))["inventory"].routes
    assert "reset" in one.route.retry_policy.retry_on and one.match.headers
    assert "reset" not in other.route.retry_policy.retry_on and not other.match.headers
    told = shop(RouteIntent(method="POST", path="/a"), RouteIntent(method="PUT", path="/b"))
    post, put, *_ = hosts(compile(told, THERE, ORDERS))["inventory"].routes
    assert "reset" not in post.route.retry_policy.retry_on
    assert "reset" in put.route.retry_policy.retry_on


def test_a_route_says_its_own_numbers_or_the_services():
    told = shop(RouteIntent(path="/a", deadline_s=1.5, try_timeout_s=0.25, attempts=1))
    routes = hosts(compile(told, THERE, ORDERS))["inventory"].routes
    own, services = routes[0].route, routes[-1].route
    assert (own.timeout.ToMilliseconds(), own.retry_policy.per_try_timeout.ToMilliseconds()) == (
        1500,
        250,
    )
    assert own.retry_policy.num_retries.value == 0
    assert (services.timeout.ToMilliseconds(), services.retry_policy.num_retries.value) == (3000, 2)


def test_a_route_after_one_without_conditions_is_not_told():
    told = shop(RouteIntent(to={"v1": 100}), RouteIntent(path="/a", to={"v2": 100}))
    assert set(compile(told, THERE, ORDERS).of(EDS)) == {ALL + "v1"}


def test_no_connection_lasts_longer_than_a_quarter_of_a_certificates_life():
    """It was let in when half of that was over at most. Idle ones the caller ends first: else one
    would end as a request is on its way."""
    brief = Intent(shop().services, MeshIntent(certificate_life_s=8.0))
    (manager,) = managers(unpacked(compile(brief, THERE, INVENTORY).of(LDS)["inbound"]))
    ours = manager.common_http_protocol_options
    options = http_protocol_options_pb2.HttpProtocolOptions()
    cluster = unpacked(compile(brief, THERE, ORDERS).of(CDS)[ALL])
    (packed,) = cluster.typed_extension_protocol_options.values()
    assert packed.Unpack(options)
    theirs = options.common_http_protocol_options
    assert ours.max_connection_duration.ToSeconds() == 2
    assert theirs.max_connection_duration.ToSeconds() == 2
    assert theirs.idle_timeout.ToSeconds() < ours.idle_timeout.ToSeconds() <= 2


def test_what_a_node_is_told_grows_with_whom_it_may_call_and_not_with_the_mesh():
    others = {f"other-{number}": ServiceIntent(may=MAY[:0]) for number in range(100)}
    alone, among = shop().services, {**shop().services, **others}
    one, other = (compile(Intent(each), THERE, ORDERS) for each in (alone, among))
    assert differ(one, other) == ["RDS"]  # these names are refused at home
    assert len(hosts(other)) == len(hosts(one)) + 1


def test_answers_say_who_served_them():
    told = unpacked(compile(shop(), THERE, INVENTORY).of(RDS)["inbound"])
    (added,) = told.response_headers_to_add
    assert (added.header.key, added.header.value) == ("x-served-by", "inventory-1 v1")


# ---- nodes that are none of ours, snapshots that are none


def test_a_node_of_no_service_of_ours_is_told_so():
    with pytest.raises(ValueError, match="no service is called 'reports'; accepted: inventory"):
        compile(shop(), THERE, dataclasses.replace(ORDERS, service="reports"))


@pytest.mark.parametrize("wrong", ["", "http://10.0.0.7:80", "unix:relative", "nonsense"])
def test_a_node_whose_service_is_nowhere_is_refused(wrong):
    with pytest.raises(ValueError, match="accepted"):
        compile(shop(), THERE, dataclasses.replace(ORDERS, app=wrong))


BROKEN = {
    "1. a route to no cluster": (CDS, ALL, "clusters of a route: 'outbound|inventory|'"),
    "2. a cluster without assignment": (
        EDS,
        ALL,
        "assignments of a cluster: 'outbound|inventory|'",
    ),
    "3. a listener without routes": (RDS, "outbound", "routes of a listener: 'outbound'"),
    "4. routes that no listener asks for": (LDS, "outbound", "nothing leads to 'outbound'"),
    "5. no way to our own service": (CDS, "app", "clusters of a route: 'app'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_snapshot_that_is_not_whole_is_never_served(name):
    kind, missing, told = BROKEN[name]
    whole = compile(shop(), THERE, ORDERS)
    with pytest.raises(ValueError) as refused:
        consistency.check(Snapshot(each for each in resources(whole) if
                                   (each.type_url, each.name) != (kind, missing)))  # fmt: skip
    assert told in str(refused.value)


def resources(snapshot: Snapshot) -> Sequence[Resource]:
    return [each for kind in ORDER for each in snapshot.of(kind).values()]


def test_two_services_of_one_name_on_the_wire_are_refused():
    """Names of hosts know no capitals: Envoy would refuse all routes for it."""
    services = shop().services
    with pytest.raises(ValueError, match="'inventory' is of 'Inventory' and 'inventory'"):
        compile(Intent({**services, "Inventory": services["inventory"]}), THERE, ORDERS)


# ---- what Envoy thinks


@settings(max_examples=6)
@given(intents(), st.data())
def test_envoy_accepts_every_snapshot(tmp_path_factory, intent, data):
    folder = tmp_path_factory.mktemp("envoy")
    assert accepted(compile(intent, data.draw(endpoints(intent)), ORDERS), folder)


def test_envoy_accepts_every_policy_at_once(tmp_path):
    fault = FaultIntent(0.001, 33.3333, 503, 0.0001)
    told = shop(
        RouteIntent(
            {"X-Tester": "yes", "x-odd": '%REQ(a)% "x"'}, "PUT", "/a.b~c/", {"v2": 100}, fault=fault
        ),
        RouteIntent(to={"v1": 0, "v2": 100}, attempts=10),
        quotas={"orders": QuotaConfig(0.001, 1), ANYONE: QuotaConfig(1e6, 1e6)},
    )
    caller = dataclasses.replace(ORDERS, service="inventory", id="inventory-9")
    own = dataclasses.replace(told.services["inventory"], may=(Rule((ANYONE,), "*", "/"),))
    for mtls in ("strict", "permissive"):
        intent = Intent({**told.services, "inventory": own}, MeshIntent(mtls))
        assert accepted(compile(intent, THERE, caller), tmp_path)


def test_envoy_would_say_so_if_it_were_not(tmp_path):
    """Otherwise the two claims above would be worth nothing."""
    whole = compile(shop(), THERE, INVENTORY)
    half = Snapshot(each for each in resources(whole) if each.name != "app")
    code, said = judged(half, tmp_path)
    assert code and "unknown cluster 'app'" in said
