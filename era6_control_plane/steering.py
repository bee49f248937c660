"""Where a request goes: the first route that fits it, then a draw by weight among its clusters."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from era4_framework.policies.backoff import Backoff
from era5_sidecar.http1 import RequestHead
from era5_sidecar.upstream import Asked, Upstream
from era5_sidecar.ways import Fault, Way
from era6_control_plane.told import ClusterSaid, HostTold, RouteTold

NOBODY = "nobody"  # who is asked where a route answers by itself
ANY_HOST = "*"


class Lane:
    """A route, and the ways that lead from it."""

    __slots__ = ("_headers", "_methods", "_path", "_ways")

    def __init__(self, route: RouteTold, ways: list[tuple[int, Way]]) -> None:
        """ways: with the sum of all weights up to each."""
        self._path = b"" if route.path == "/" else route.path.encode()
        self._headers = [(name.encode(), value.encode()) for name, value in route.headers]
        self._methods = frozenset(each.encode() for each in route.methods)
        self._ways = ways

    def fits(self, request: RequestHead) -> bool:
        """Whether all that it asks of a request holds."""
        if self._methods and request.method not in self._methods:
            return False
        if self._path and not request.target.startswith(self._path):
            return False
        return all(value_of(request, name) == value for name, value in self._headers)

    def draw(self, rng: random.Random) -> Way:
        """One of its ways, each as often as its weight says."""
        if len(self._ways) == 1:
            return self._ways[0][1]
        drawn = rng.random() * self._ways[-1][0]
        return next(way for until, way in self._ways if drawn < until)

    @property
    def is_plain(self) -> bool:
        """Whether it takes every request, and has one way."""
        return len(self._ways) == 1 and not (self._methods or self._path or self._headers)

    @property
    def only(self) -> Way:
        """Of one that is plain."""
        return self._ways[0][1]


class ByRoutes:
    """In the place of era 5's choice by name. Never changes: another one takes its place."""

    def __init__(
        self,
        hosts: Collection[HostTold],
        clusters: Mapping[str, ClusterSaid],
        rng: random.Random,
    ) -> None:
        self._hosts = hosts
        self._names = {name: label(each) for name, each in clusters.items()}
        self.upstreams: Mapping[str, Asked] = {
            NOBODY: Asked(NOBODY),
            **{self._names[name]: each.asked for name, each in clusters.items()},
        }
        self._rng = rng
        self._lanes: dict[bytes, Way | list[Lane]] = {}

    def lead_to(self, upstreams: Mapping[str, Upstream]) -> None:
        for host in self._hosts:
            lanes = self._lanes_of(host, upstreams)
            for domain in host.domains:
                if domain != ANY_HOST:
                    self._lanes[domain.encode()] = lanes

    def way(self, request: RequestHead) -> Way | None:
        lanes = self._lanes.get(request.host) or self._lanes.get(request.host.lower())
        if lanes is None or isinstance(lanes, Way):
            return lanes
        for lane in lanes:
            if lane.fits(request):
                return lane.draw(self._rng)
        return None

    def why_nobody(self) -> str:
        known = ", ".join(host.name for host in self._hosts if host.routes) or "none"
        return f"no service of this name; accepted: {known}"

    def _lanes_of(self, host: HostTold, upstreams: Mapping[str, Upstream]) -> Way | list[Lane]:
        if host.answer:
            status, body = host.answer
            return Way(upstreams[NOBODY], fault=Fault(0.0, 0.0, status, 1.0, body))
        lanes = [Lane(each, self._ways(each, upstreams)) for each in host.routes]
        return lanes[0].only if lanes and lanes[0].is_plain else lanes

    def _ways(self, route: RouteTold, upstreams: Mapping[str, Upstream]) -> list[tuple[int, Way]]:
        backoff = Backoff(route.client.retry.backoff, self._rng)
        until, ways = 0, []
        for name, weight in route.to:
            until += weight
            upstream = upstreams[self._names[name]]
            if weight:
                ways.append((until, Way(upstream, route.client, backoff, route.fault)))
        return ways


def label(cluster: ClusterSaid) -> str:
    """What metrics and errors call it: the service, and its version if only one is meant."""
    return f"{cluster.asked.service} {cluster.version}".strip()


def value_of(request: RequestHead, name: bytes) -> bytes | None:
    """A field's value; of several, all of them, as RFC 9110, section 5.3, joins them."""
    special = request.special.get(name)
    if special is not None:
        return special
    start = name + b":"
    found = [
        line[len(start) :].strip(b" \t")
        for line in request.kept
        if line[: len(start)].lower() == start
    ]
    return b", ".join(found) if found else None
