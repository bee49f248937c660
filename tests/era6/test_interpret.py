"""What our proxy makes of resources: all that was meant, and no more than it understands."""

from __future__ import annotations

import contextlib
import dataclasses
import math

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.cors.v3.cors_pb2 import Cors
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.any_pb2 import Any
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from era5_sidecar.config import ANYONE
from era6_control_plane.compile import compile
from era6_control_plane.intent import PERMISSIVE, FaultIntent, Intent, RouteIntent, ServiceIntent
from era6_control_plane.interpret import Incomplete, Refused, interpret, read, wanted
from era6_control_plane.names import APP, CDS, EDS, INBOUND, LDS, ORDER, OUTBOUND, RDS, SDS
from era6_control_plane.snapshot import Resource, Snapshot
from era6_control_plane.told import RouteTold, Told
from tests.era6 import intents
from tests.era6.intents import INVENTORY, ORDERS, THERE, shop

KINDS = {LDS: Listener, RDS: RouteConfiguration, CDS: Cluster, EDS: ClusterLoadAssignment}
ALL = "outbound|inventory|"
Manager = http_connection_manager_pb2.HttpConnectionManager


def understood(snapshot: Snapshot) -> dict:
    return {
        kind: {name: read(kind, name, each.body) for name, each in snapshot.of(kind).items()}
        for kind in ORDER
    }


def told_of(intent: Intent, node=ORDERS) -> Told:
    return interpret(understood(compile(intent, THERE, node)))


def near(one: float, other: float) -> bool:
    """Times travel in millionths of a second."""
    return math.isclose(one, other, abs_tol=2e-6)


# All that was meant.


@given(intent=intents.intents(), data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])  # each a whole mesh
def test_what_is_read_is_what_was_meant(intent, data):
    node, there = ORDERS, data.draw(intents.endpoints(intent))
    found = interpret(understood(compile(intent, there, node)))
    service = intent.services[node.service]
    assert found.app.url == node.app
    assert found.app.most_in_flight == service.most_in_flight
    assert found.admission.may == tuple(
        dataclasses.replace(rule, callers=tuple(sorted(rule.callers))) for rule in service.may
    )
    assert dict(found.admission.quotas) == dict(service.quotas)
    assert near(found.admission.deadline_s, service.inbound_deadline_s)
    assert (found.admission.settle_s, found.admission.drain_s) == (
        service.settle_s,
        service.drain_s,
    )
    assert found.inbound.limits == intent.mesh.limits
    assert near(found.inbound.most_age_s, intent.mesh.certificate_life_s / 4)
    assert found.inbound.is_edge == service.is_edge
    assert found.inbound.is_permissive == (intent.mesh.mtls == PERMISSIVE and not service.is_edge)
    for host in found.hosts:
        if not host.name.startswith("|"):
            _check_host(intent.services[host.name], host.routes)
    for cluster in found.clusters.values():
        asked, meant = cluster.asked, intent.services[cluster.asked.service]
        assert asked.client.breaker == meant.client.breaker
        assert asked.client.retry.budget == meant.client.retry.budget
        assert asked.client.balancer == meant.client.balancer
        assert asked.most_connections == meant.most_connections
        assert near(asked.most_age_s, intent.mesh.certificate_life_s / 4)


def _check_host(service: ServiceIntent, routes: tuple[RouteTold, ...]) -> None:
    meant = list(service.routes)
    if not meant or meant[-1].headers or meant[-1].method != ANYONE or meant[-1].path != "/":
        meant.append(RouteIntent())
    for route, asked in zip(routes, meant, strict=False):
        client = service.client
        assert route.path == asked.path
        assert route.methods == (set() if asked.method == ANYONE else {asked.method})
        assert dict(route.headers) == {k.lower(): v for k, v in asked.headers.items()}
        assert near(route.client.deadline_s, asked.deadline_s or client.deadline_s)
        assert near(route.client.try_timeout_s, asked.try_timeout_s or client.try_timeout_s)
        assert route.client.retry.attempts == (asked.attempts or client.retry.attempts)
        assert near(route.client.retry.backoff.base_s, client.retry.backoff.base_s)
        assert near(route.client.retry.backoff.cap_s, client.retry.backoff.cap_s)
        _check_fault(route, asked.fault)
        shares = {name.rpartition("|")[2]: weight for name, weight in route.to}
        assert shares == (dict(asked.to) or {"": 1})


def _check_fault(route: RouteTold, meant: FaultIntent | None) -> None:
    assert (route.fault is None) == (meant is None)
    if route.fault is None or meant is None:
        return
    assert near(route.fault.delay_s, meant.delay_s)
    assert route.fault.abort_status == meant.abort_status
    if meant.delay_s:
        assert near(route.fault.delay_share, meant.delay_percent / 100)
    if meant.abort_status:
        assert near(route.fault.abort_share, meant.abort_percent / 100)


def test_instances_are_known_by_their_names_and_addresses():
    said = understood(compile(shop(), THERE, ORDERS))
    assert [(each.name, each.url) for each in said[EDS][ALL]] == [
        ("inventory-1", "http://127.0.0.1:18011"),
        ("inventory-2", "http://127.0.0.1:18021"),
    ]


def test_one_that_is_drained_is_not_asked():
    message = ClusterLoadAssignment(cluster_name=ALL)
    for number, status in enumerate((0, 1, 2, 3, 5)):  # unknown, healthy, not, draining, degraded
        each = message.endpoints.add().lb_endpoints.add(health_status=status)
        each.endpoint.address.socket_address.address = "127.0.0.1"
        each.endpoint.address.socket_address.port_value = 1000 + number
    found = read(EDS, ALL, Resource.pack(ALL, message).body)
    assert [each.url[-4:] for each in found] == ["1000", "1001", "1004"]


def test_who_is_named_is_asked_for():
    said = understood(compile(shop(), THERE, ORDERS))
    assert wanted({LDS: said[LDS], CDS: said[CDS]}) == {
        EDS: {ALL},
        RDS: {INBOUND, OUTBOUND},
        SDS: {"default", "ROOTCA"},
    }


WHOLE = compile(shop(RouteIntent(fault=FaultIntent(delay_s=0.1))), THERE, ORDERS)


@given(data=st.data())
@settings(max_examples=300)
def test_whatever_bytes_come_they_are_understood_or_refused(data):
    kind = data.draw(st.sampled_from((LDS, RDS, CDS, EDS)))
    resource = WHOLE.of(kind)[data.draw(st.sampled_from(sorted(WHOLE.of(kind))))]
    spoilt = bytearray(resource.body.value)
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Refused):
        read(kind, resource.name, Any(type_url=kind, value=bytes(spoilt)))


# No whole.


@pytest.mark.parametrize(
    ("kind", "name"),
    [(CDS, APP), (CDS, ALL), (EDS, ALL), (LDS, INBOUND), (RDS, INBOUND), (RDS, OUTBOUND)],
)
def test_while_something_that_is_named_has_not_come_there_is_no_whole(kind, name):
    said = understood(compile(shop(), THERE, ORDERS))
    del said[kind][name]
    with pytest.raises(Incomplete, match=f"{name.replace('|', '.')} has not come yet"):
        interpret(said)


def test_who_has_no_outbound_listener_calls_nobody():
    found = told_of(shop(), INVENTORY)
    assert (found.outbound, found.hosts, found.clusters) == (None, (), {})


# No more than is understood.


def spoiled(kind: str, name: str, change, node=ORDERS) -> str:
    """How a resource is refused after this change."""
    message = KINDS[kind]()
    compile(shop(), THERE, node).of(kind)[name].body.Unpack(message)
    change(message)
    with pytest.raises(Refused) as caught:
        read(kind, name, Resource.pack(name, message).body)
    return str(caught.value)


def set_(path: str, value: object):
    """Sets a field, however deep."""

    def change(message) -> None:
        *way, last = path.split(".")
        for each in way:
            message = message[int(each)] if each.isdigit() else getattr(message, each)
        setattr(message, last, value)

    return change


def add(path: str, **fields: object):
    """Adds a message to a list, however deep."""

    def change(message) -> None:
        for each in path.split("."):
            message = message[int(each)] if each.isdigit() else getattr(message, each)
        message.add(**fields)

    return change


HOST = "virtual_hosts.0"
WRONG = [
    (CDS, ALL, set_("type", Cluster.STRICT_DNS), "type is '1': accepted is EDS, or STATIC"),
    (CDS, ALL, set_("lb_policy", Cluster.RING_HASH), "lb_policy is '2': accepted is ROUND"),
    (CDS, ALL, add("health_checks"), "health_checks is set, and means nothing"),
    (CDS, ALL, set_("alt_stat_name", "x"), "alt_stat_name is set, and means nothing"),
    (CDS, APP, set_("alt_stat_name", "x"), "alt_stat_name is set"),
    (EDS, ALL, set_("policy.weighted_priority_health", True), "policy is set"),
    (EDS, ALL, set_("endpoints.0.priority", 1), "endpoints[0].priority is set"),
    (RDS, OUTBOUND, add(f"{HOST}.rate_limits"), "virtual_hosts[0].rate_limits is set"),
    (
        RDS,
        OUTBOUND,
        set_(f"{HOST}.routes.0.match.case_sensitive.value", False),
        "virtual_hosts[0].routes[0].match.case_sensitive is set",
    ),
    (
        RDS,
        OUTBOUND,
        set_(f"{HOST}.routes.0.route.prefix_rewrite", "/"),
        "virtual_hosts[0].routes[0].route.prefix_rewrite is set",
    ),
    (
        RDS,
        OUTBOUND,
        set_(f"{HOST}.routes.0.match.safe_regex.regex", ".*"),
        "virtual_hosts[0].routes[0].match.prefix is '': accepted is the beginning of a",
    ),
    (
        RDS,
        OUTBOUND,
        set_(f"{HOST}.routes.0.match.headers.0.invert_match", True),
        "virtual_hosts[0].routes[0].match.headers[0].invert_match is set",
    ),
    (
        RDS,
        OUTBOUND,
        set_(f"{HOST}.routes.0.route.retry_policy.num_retries.value", 99),
        "virtual_hosts[0].routes[0].route: attempts is 100: accepted is a whole",
    ),
    (RDS, INBOUND, set_(f"{HOST}.routes.0.route.cluster", "x"), "is 'x': accepted is 'app'"),
    (RDS, INBOUND, add("virtual_hosts"), "virtual_hosts is "),
    (LDS, INBOUND, set_("use_original_dst.value", True), "use_original_dst is set"),
    (LDS, INBOUND, set_("filter_chains.0.name", "x"), "filter_chains[0].name is set"),
]


@pytest.mark.parametrize(("kind", "name", "change", "why"), WRONG, ids=[why for *_, why in WRONG])
def test_what_is_set_and_means_nothing_is_refused_by_its_path(kind, name, change, why):
    assert why in spoiled(kind, name, change)


def filtered(is_optional: bool):
    """A filter that we do not know, in front of the others."""

    def change(listener) -> None:
        used = listener.filter_chains[0].filters[-1]
        manager = Manager()
        used.typed_config.Unpack(manager)
        other = manager.http_filters.add(name="cors", is_optional=is_optional)
        other.typed_config.Pack(Cors())
        used.typed_config.Pack(manager)

    return change


def test_a_filter_that_is_not_known_is_refused():
    told = "http_filters[3].typed_config of 'cors' is a filter that this proxy does not know"
    assert told in spoiled(LDS, INBOUND, filtered(is_optional=False))


def test_unless_it_is_optional():
    message = Listener()
    compile(shop(), THERE, ORDERS).of(LDS)[INBOUND].body.Unpack(message)
    filtered(is_optional=True)(message)
    assert read(LDS, INBOUND, Resource.pack(INBOUND, message).body).routes == INBOUND


def test_another_listener_is_none_of_ours():
    with pytest.raises(Refused, match="it is no listener of ours"):
        read(LDS, "other", Resource.pack("other", Listener(name="other")).body)


def test_what_is_no_such_message_is_refused():
    with pytest.raises(Refused, match="accepted is"):
        read(CDS, "x", Resource.pack("x", Listener()).body)


def test_a_refused_secret_says_nothing_of_what_is_in_it():
    message = Secret(name="default")
    message.tls_certificate.private_key.filename = "/etc/key"
    with pytest.raises(Refused) as caught:
        read(SDS, "default", Resource.pack("default", message).body)
    assert "/etc/key" not in str(caught.value)
