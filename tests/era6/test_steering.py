"""Where a request goes: which route fits, and in what shares its clusters are drawn."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from era4_framework.config import ClientConfig
from era5_sidecar.connection import Sweep
from era5_sidecar.dialling import Dialling
from era5_sidecar.http1 import RequestHead
from era5_sidecar.upstream import Asked, Upstream
from era5_sidecar.ways import Fault
from era6_control_plane.steering import ByRoutes
from era6_control_plane.told import ClusterSaid, HostTold, RouteTold

ALL, OLD, NEW = "outbound|inventory|", "outbound|inventory|v1", "outbound|inventory|v2"
VERSIONS = {ALL: "", OLD: "v1", NEW: "v2"}
CLUSTERS = {
    name: ClusterSaid(name, version, Asked("inventory"), name) for name, version in VERSIONS.items()
}
DOMAINS = ("inventory", "inventory:80")
EVERYWHERE = RouteTold("/", ((ALL, 1),))


def steered(*routes: RouteTold, hosts: tuple[HostTold, ...] = (), seed: int = 1) -> ByRoutes:
    rng = random.Random(seed)
    found = ByRoutes((HostTold("inventory", DOMAINS, routes), *hosts), CLUSTERS, rng)
    dialling = Dialling(Sweep(), 65536)
    found.lead_to({name: Upstream(name, told, dialling, rng) for name, told in
                   found.upstreams.items()})  # fmt: skip
    return found


def request(path: str = "/x", *fields: str, method: str = "GET", host: str = "inventory"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    return RequestHead("\r\n".join(lines).encode(), 100)


def led_to(steering: ByRoutes, *told, **others) -> str | None:
    way = steering.way(request(*told, **others))
    return way.upstream.name if way else None


def test_metrics_know_an_upstream_by_its_service_and_its_version():
    assert list(steered(EVERYWHERE).upstreams) == ["nobody", "inventory", "inventory v1",
                                                   "inventory v2"]  # fmt: skip


@pytest.mark.parametrize("host", ["inventory", "inventory:80", "Inventory"])
def test_a_service_is_known_by_its_domains_whatever_their_case(host):
    assert led_to(steered(EVERYWHERE), host=host) == "inventory"


def test_who_is_not_known_is_led_nowhere_and_told_who_is():
    steering = steered(EVERYWHERE)
    assert led_to(steering, host="other") is None
    assert steering.why_nobody() == "no service of this name; accepted: inventory"


def test_the_first_route_that_fits_counts():
    steering = steered(
        RouteTold("/", ((NEW, 1),), headers=(("x-tester", "yes"),)),
        RouteTold("/catalogue", ((OLD, 1),), methods=frozenset(("GET", "HEAD"))),
        EVERYWHERE,
    )
    assert led_to(steering, "/catalogue", "X-Tester: yes") == "inventory v2"
    assert led_to(steering, "/catalogue", "x-tester:  yes ") == "inventory v2"
    assert led_to(steering, "/catalogue", "X-Tester: yes, no") == "inventory v1"
    assert led_to(steering, "/catalogue", "X-Tester: yes", "X-Tester: no") == "inventory v1"
    assert led_to(steering, "/catalogue") == "inventory v1"
    assert led_to(steering, "/catalogue", method="PUT") == "inventory"
    assert led_to(steering, "/other") == "inventory"


def test_where_no_route_fits_there_is_no_way():
    assert led_to(steered(RouteTold("/only", ((ALL, 1),))), "/other") is None


def test_shares_are_drawn_as_they_are_told():
    steering = steered(RouteTold("/", ((OLD, 90), (NEW, 10))))
    found = Counter(led_to(steering) for _ in range(2000))
    assert 140 < found["inventory v2"] < 260
    assert found.total() == found["inventory v1"] + found["inventory v2"] == 2000


def test_the_same_seed_draws_the_same():
    routes = RouteTold("/", ((OLD, 50), (NEW, 50)))
    one, other = (steered(routes, seed=3) for _ in range(2))
    assert [led_to(one) for _ in range(50)] == [led_to(other) for _ in range(50)]


def test_a_share_of_none_is_never_drawn():
    steering = steered(RouteTold("/", ((OLD, 0), (NEW, 100))))
    assert {led_to(steering) for _ in range(200)} == {"inventory v2"}


def test_times_and_attempts_are_the_routes_and_trouble_too():
    client, fault = ClientConfig(deadline_s=1.0, try_timeout_s=0.25), Fault(delay_s=0.1)
    route = RouteTold("/", ((ALL, 1),), client=client, fault=fault)
    way = steered(route).way(request())
    assert (way.client, way.fault) == (client, fault)


def test_a_host_that_answers_by_itself_asks_nobody():
    forbidden = HostTold("|forbidden", ("reports",), answer=(403, b"{}"))
    way = steered(EVERYWHERE, hosts=(forbidden,)).way(request(host="reports"))
    assert way.upstream.name == "nobody"
    assert way.fault.draw(random.Random(1)) == (0.0, 403)
    assert way.fault.body == b"{}"
