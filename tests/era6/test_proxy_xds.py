"""Our proxy as a process, ruled from elsewhere: it obeys, refuses, and outlives its ruler."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from era5_sidecar.certificates import Authority
from era5_sidecar.config import Rule
from era5_sidecar.inheritance import AGAIN
from era6_control_plane.compile import compile
from era6_control_plane.intent import FaultIntent, Intent, MeshIntent, RouteIntent, ServiceIntent
from era6_control_plane.membership import Endpoint
from era6_control_plane.names import ORDER, RDS
from era6_control_plane.snapshot import Resource, Snapshot
from tests.era5.running import ask, serving, until
from tests.era6.ruler import Place, Relay, Shut, node
from tests.ports import free_port

GROWN = 5  # times it has tried; then its pauses are as long as they get
ANYBODY = (Rule(("*",), "*", "/"),)


def shop(*routes: RouteIntent, **mesh: object) -> Intent:
    services = {
        "orders": ServiceIntent(is_edge=True, may=ANYBODY, settle_s=0),
        "inventory": ServiceIntent(
            versions=("v1", "v2"), may=(Rule(("orders",), "*", "/"),), routes=routes, settle_s=0
        ),
    }
    return Intent(services, MeshIntent(**mesh))  # type: ignore[arg-type]


class Pair:
    """Orders, which asks, and inventory, which is asked: each with its node."""

    def __init__(self, orders: Place, inventory: Place) -> None:
        self.orders = orders
        self.inventory = inventory
        self.endpoints = [Endpoint("inventory", "inventory-1", "v1", inventory.url)]

    def rule(self, intent: Intent) -> None:
        for each in (self.inventory, self.orders):
            each.rule(intent, *self.endpoints)

    def start(self, intent: Intent) -> None:
        self.rule(intent)
        for each in (self.inventory, self.orders):
            each.open_agent()
            each.open_ruler()
            each.launch()
        for each in (self.inventory, self.orders):
            each.wait_ready()


@contextmanager
def two_nodes() -> Iterator[Pair]:
    authority = Authority.new()
    with serving() as app, ExitStack() as stack:
        url = f"http://127.0.0.1:{app.port}"
        orders = stack.enter_context(node(authority, "orders", url))
        yield Pair(orders, stack.enter_context(node(authority, "inventory", url, "v1")))


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Nothing of it runs yet."""
    with two_nodes() as made:
        yield made


@pytest.fixture(scope="module")
def mesh() -> Iterator[Pair]:
    with two_nodes() as made:
        made.start(shop())
        yield made


@pytest.fixture
def ruled(mesh) -> Pair:
    """The same for all who leave it running: ruled as at first."""
    mesh.endpoints = [Endpoint("inventory", "inventory-1", "v1", mesh.inventory.url)]
    mesh.rule(shop())
    until(lambda: mesh.orders.status() == 200)
    mesh.orders.ruler.heard.clear()
    return mesh


def test_a_request_goes_through_both_and_says_who_served_it(ruled):
    with ruled.orders.connect() as asking:
        head, _ = ask(asking, "/1", "inventory")
    assert b" 200 " in head
    assert b"X-Served-By: inventory-1 v1" in head
    assert ruled.inventory.status("/1", "inventory", "inbound") == 0  # without TLS


def test_it_is_ready_only_when_it_has_been_told_everything(pair):
    orders = pair.orders
    orders.open_agent()
    orders.open_ruler()
    orders.launch()
    until(lambda: orders.ruler.streams() == 1)
    status, body = orders.admin("/ready")
    assert status == 503
    assert b"has not come yet" in body
    assert [each["metadata"].get("inbound") for each in orders.agent.nodes] == [""]
    pair.rule(shop())
    orders.wait_ready()
    assert orders.admin("/ready")[0] == 200
    until(lambda: orders.agent.nodes[-1]["metadata"]["inbound"] == orders.url)


def test_routes_and_clusters_change_under_load_without_a_failed_request(ruled):
    pair = ruled
    pair.endpoints.append(Endpoint("inventory", "inventory-2", "v2", pair.inventory.url))
    stop, failed, done = threading.Event(), [], [0]
    taken = pair.orders.ruler.heard

    def load() -> None:
        with pair.orders.connect() as asking:
            while not stop.is_set():
                head, _ = ask(asking, "/1", "inventory")
                done[0] += 1
                if b" 200 " not in head:
                    failed.append(head)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    for number in range(40):
        to = {"v1": 100 - number, "v2": number} if number % 3 else {}
        seldom = RouteIntent(headers={"x-a": "b"}, attempts=1 + number % 3)
        more, answers = len(taken) + 1, done[0] + len(threads)
        pair.rule(shop(seldom, RouteIntent(to=to)))
        until(lambda more=more, answers=answers: len(taken) >= more and done[0] >= answers)
    stop.set()
    for each in threads:
        each.join()
    assert failed == []


def test_what_it_does_not_understand_is_refused_by_its_path_and_the_last_good_stays(ruled):
    pair, orders = ruled, ruled.orders
    good = compile(shop(), pair.endpoints, orders.node)
    bad = _changed(good, RDS, "outbound", _mirror)
    orders.ruler.push(bad)
    until(lambda: orders.ruler.refusals())
    assert orders.ruler.refusals() == [
        "outbound: virtual_hosts[0].routes[0].route.request_mirror_policies is set, and "
        "means nothing to this proxy"
    ]
    assert orders.status() == 200
    orders.ruler.push(compile(shop(RouteIntent(fault=FaultIntent(abort_status=418))),
                              pair.endpoints, orders.node))  # fmt: skip
    until(lambda: orders.status() == 418)


def test_an_instance_that_is_gone_is_asked_no_more_and_one_that_comes_is(ruled):
    pair = ruled
    pair.endpoints = []
    pair.rule(shop())
    until(lambda: pair.orders.status() == 503)
    pair.endpoints = [Endpoint("inventory", "inventory-1", "v1", pair.inventory.url)]
    pair.rule(shop())
    until(lambda: pair.orders.status() == 200)


def test_without_its_ruler_it_goes_on_and_converges_in_a_second_when_it_returns(pair):
    pair.start(shop())
    orders = pair.orders
    orders.ruler.stop()
    until(lambda: orders.ruler.streams() == 0)
    assert orders.status() == 200
    assert orders.admin("/ready")[0] == 200
    until(lambda: b"\nruled 0.0\n" in orders.admin("/stats")[1])
    orders.ruler.snapshot = compile(
        shop(RouteIntent(fault=FaultIntent(abort_status=418))), pair.endpoints, orders.node
    )
    orders.ruler.had.clear()
    with Shut(orders.ports["pilot"]) as door:
        until(lambda: door.knocks >= GROWN)
    orders.open_ruler()
    until(lambda: orders.status() == 418)
    assert all(orders.ruler.had)  # it said which versions it had


def test_a_ruler_that_is_frozen_is_found_out_and_asked_anew_when_it_thaws(pair):
    orders = pair.orders
    port = free_port()
    relay = Relay(orders.ports["pilot"], port)
    orders.open_agent()
    orders.open_ruler(at=port)
    pair.rule(shop())
    orders.launch()
    orders.wait_ready()
    relay.is_frozen.set()
    until(lambda: not json.loads(orders.admin("/config")[1])["is_connected"])
    relay.is_frozen.clear()
    until(lambda: json.loads(orders.admin("/config")[1])["is_connected"])
    relay.close()


def test_killed_while_its_ruler_is_dead_it_comes_back_with_what_was_in_force(pair):
    pair.start(shop())
    orders = pair.orders
    orders.ruler.stop()
    orders.process.kill()
    orders.process.wait()
    orders.launch(**{AGAIN: "yes"})
    orders.wait_ready()
    assert orders.status() == 200
    kept = orders.folder / ".node.toml.in-force"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in kept.read_bytes()


def test_and_one_that_is_started_anew_waits_a_moment_for_its_ruler_first(pair):
    pair.start(shop())
    orders = pair.orders
    orders.ruler.stop()
    orders.process.terminate()
    orders.process.wait()
    orders.launch()
    orders.wait_ready()
    assert "what was in force before counts until it does" in orders.told()
    assert orders.status() == 200


def test_a_new_certificate_is_shown_to_the_ruler_and_to_others_and_nobody_notices(ruled):
    pair, orders = ruled, ruled.orders
    with orders.connect() as asking:
        assert b" 200 " in ask(asking, "/1", "inventory")[0]
        streams = len(orders.ruler.nodes)
        for each in (pair.inventory, orders):
            each.certify()
        until(lambda: len(orders.ruler.nodes) > streams)
        assert b" 200 " in ask(asking, "/1", "inventory")[0]


def test_a_connection_ends_with_an_answer_when_a_quarter_of_a_certificates_life_is_over(pair):
    pair.start(shop(certificate_life_s=2.0))
    with pair.orders.connect("inbound") as asking:
        assert b" 200 " in ask(asking, "/1")[0]
        assert asking.recv(1) == b""  # idle, and ended for its age
    with pair.orders.connect("inbound") as asking:
        late = time.monotonic() + 5
        while b"connection: close" not in ask(asking, "/1")[0].lower():
            assert time.monotonic() < late


def test_permissive_takes_whoever_has_no_certificate_but_gives_it_no_name(ruled):
    pair = ruled
    pair.rule(shop(mtls="permissive"))
    until(lambda: pair.inventory.status("/1", "inventory", "inbound") == 401)
    assert pair.orders.status() == 200
    pair.rule(shop())
    until(lambda: pair.inventory.status("/1", "inventory", "inbound") == 0)


def test_a_fault_says_that_it_was_made_on_purpose(ruled):
    pair = ruled
    pair.rule(shop(RouteIntent(path="/1", fault=FaultIntent(abort_status=503))))
    until(lambda: pair.orders.status() == 503)
    with pair.orders.connect() as asking:
        head, body = ask(asking, "/1", "inventory")
        assert b" 503 " in head
        assert b"X-Certain: true" in head
        assert b"injected on purpose" in body
        assert b" 200 " in ask(asking, "/2", "inventory")[0]


def test_a_sidecar_keeps_its_proxy_running_and_upgrades_it(pair):
    pair.rule(shop())
    for each in (pair.inventory, pair.orders):
        each.open_agent()
        each.open_ruler()
        each.launch("sidecar")
    for each in (pair.inventory, pair.orders):
        each.wait_ready()
    assert pair.orders.status() == 200
    [proxy] = _children(pair.orders.process.pid)
    os.kill(proxy, signal.SIGKILL)
    until(lambda: proxy not in _children(pair.orders.process.pid))
    assert pair.orders.status() == 200  # it waits, and is not refused
    [second] = _children(pair.orders.process.pid)  # before there are two, for a moment
    pair.orders.process.send_signal(signal.SIGUSR2)
    until(lambda: second not in _children(pair.orders.process.pid))
    assert pair.orders.status() == 200


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def _mirror(message) -> None:
    action = message.virtual_hosts[0].routes[0].route
    action.request_mirror_policies.add().cluster = "outbound|inventory|"


def _changed(snapshot: Snapshot, kind: str, name: str, change) -> Snapshot:
    message = RouteConfiguration()
    snapshot.of(kind)[name].body.Unpack(message)
    change(message)
    others = [
        each
        for of in ORDER
        for each in snapshot.of(of).values()
        if (each.type_url, each.name) != (kind, name)
    ]
    return Snapshot([*others, Resource.pack(name, message)])
