"""Whether a snapshot is whole: Envoy waits up to 15 s for what another resource names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from era6_control_plane.names import CDS, EDS, LDS, RDS
from era6_control_plane.snapshot import Resource, Snapshot


def check(snapshot: Snapshot) -> None:
    """Raises ValueError for a route to no cluster, a cluster without its assignment, a listener
    without its routes, a name in two virtual hosts; and for what nothing leads to.
    """
    listeners = [_unpacked(each, Listener) for each in snapshot.of(LDS).values()]
    routes = [_unpacked(each, RouteConfiguration) for each in snapshot.of(RDS).values()]
    known = [_unpacked(each, Cluster) for each in snapshot.of(CDS).values()]
    led_to = {name for each in routes for name in _clusters(each)}
    _same("routes of a listener", set(_routes(listeners)), snapshot.of(RDS).keys())
    asked = {each.name for each in known if each.type == Cluster.EDS}
    _same("clusters of a route", led_to, led_to & {each.name for each in known} | asked)
    _same("assignments of a cluster", asked, snapshot.of(EDS).keys())
    for each in routes:
        _check_hosts(each)


def _same(what: str, wanted: Set[str], there: Set[str]) -> None:
    missing, idle = sorted(wanted - there), sorted(there - wanted)
    if missing:
        raise ValueError(f"{what}: {missing[0]!r} is missing")
    if idle:
        raise ValueError(f"{what}: nothing leads to {idle[0]!r}")


def _unpacked(resource: Resource, kind: Any) -> Any:
    message = kind()
    resource.body.Unpack(message)
    return message


def _routes(listeners: Iterable[Any]) -> Iterator[str]:
    """The names of routes that listeners ask for."""
    for each in listeners:
        filters = [used for chain in each.filter_chains for used in chain.filters]
        for body in (each.api_listener.api_listener, *(used.typed_config for used in filters)):
            manager = http_connection_manager_pb2.HttpConnectionManager()
            if body.Unpack(manager):
                yield manager.rds.route_config_name


def _clusters(configuration: Any) -> Iterator[str]:
    for host in configuration.virtual_hosts:
        for route in host.routes:
            if route.HasField("route"):
                action = route.route
                shares = action.weighted_clusters.clusters
                yield from (each.name for each in shares) if shares else (action.cluster,)


def _check_hosts(configuration: Any) -> None:
    taken: dict[str, str] = {}
    for host in configuration.virtual_hosts:
        for domain in host.domains:
            if domain in taken:
                both = f"{taken[domain]!r} and {host.name!r}"
                raise ValueError(f"routes {configuration.name!r}: {domain!r} is of {both}")
            taken[domain] = host.name
