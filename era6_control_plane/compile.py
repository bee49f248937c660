"""From one operator's intent, and who is there, to what each node must know: a pure function.

A node is told of those services only that it may call by some rule: who may not call is not even
told where. (Istio tells everybody of everybody unless a Sidecar resource says otherwise, which is
what made its first meshes heavy.) Whom a service lets in its own proxy decides all the same.

| an operator changes | told by |
|---|---|
| timeouts, retries, weights, headers, faults; rules who may, quotas | routes (RDS) |
| the breaker, the retry budget, most connections, what is in flight at most | clusters (CDS) |
| mTLS's mode, limits, a certificate's life | listeners (LDS), which drain |

Who is there is told by assignments (EDS). A caller's first rule anywhere brings it that service's
clusters, too, and its last one takes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from envoy.config.core.v3.base_pb2 import Node as NodeMessage
from google.protobuf.message import Message

from era5_sidecar.config_inbound import ANYONE
from era5_sidecar.config_text import is_name
from era6_control_plane import consistency
from era6_control_plane.intent import Intent, RouteIntent, ServiceIntent
from era6_control_plane.membership import Endpoint
from era6_control_plane.resources import clusters, listeners, proxyless, routes
from era6_control_plane.resources.clusters import ALL_VERSIONS
from era6_control_plane.resources.endpoints import assignment
from era6_control_plane.resources.parts import place, place_of_app
from era6_control_plane.snapshot import Resource, Snapshot

SIDECAR, PROXYLESS = "sidecar", "proxyless"
LONGEST = 256  # letters of anything that a proxy says of itself
SAID = ("version", "inbound", "outbound", "app", "kind")


@dataclass(frozen=True)
class Node:
    """A proxy, as it describes itself when it asks.

    id: the instance it stands beside. inbound, outbound, app: where it listens and where its
    service does, as era 5's file says them (`http://IP:PORT`, `unix:PATH`; outbound empty: it calls
    nobody). kind: `proxyless` is a program that speaks xDS itself, as gRPC's own client.
    """

    id: str
    service: str
    version: str = ""
    inbound: str = ""
    outbound: str = ""
    app: str = ""
    kind: str = SIDECAR


def compile(intent: Intent, endpoints: Sequence[Endpoint], node: Node) -> Snapshot:
    """What this node is to know. endpoints: of all services, in any order.

    Raises ValueError for a node that belongs to no service of ours, or whose addresses are none.
    """
    if node.service not in intent.services:
        known = ", ".join(sorted(intent.services)) or "none"
        raise ValueError(f"no service is called {node.service!r}; accepted: {known}")
    called = _callable(intent, node)
    messages = [*_clusters(intent, called, endpoints, node), *_own(intent, called, node)]
    snapshot = Snapshot(Resource.pack(_name(each), each) for each in messages)
    consistency.check(snapshot)
    return snapshot


def node_of(message: NodeMessage) -> Node:
    """What a proxy says of itself. Raises ValueError, which names what is wrong with it."""
    said = {name: _text(message, name) for name in SAID}
    node = Node(message.id, message.cluster, **(said | {"kind": said["kind"] or SIDECAR}))
    for key, value in (("id", node.id), ("cluster", node.service)):
        if not is_name(value):
            accepted = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
            raise ValueError(f"node.{key} is {value[:LONGEST]!r}; accepted: {accepted}")
    if node.version and not is_name(node.version):
        raise ValueError(f"node.metadata.version is {node.version!r}; accepted: a name, or none")
    if node.kind not in (SIDECAR, PROXYLESS):
        accepted = f"{SIDECAR}, {PROXYLESS}"
        raise ValueError(f"node.metadata.kind is {node.kind!r}; accepted: {accepted}")
    if node.kind == SIDECAR:
        _check_addresses(node)
    return node


def _text(message: NodeMessage, name: str) -> str:
    if name not in message.metadata.fields:
        return ""
    value = message.metadata.fields[name]
    text = str(value.string_value)
    is_text = value.WhichOneof("kind") == "string_value"
    if not is_text or len(text) > LONGEST or not text.isprintable():
        accepted = f"printable text of at most {LONGEST} letters"
        raise ValueError(f"node.metadata.{name} is {text[:LONGEST]!r}; accepted: {accepted}")
    return text


def _check_addresses(node: Node) -> None:
    taken: dict[str, str] = {}
    for name in ("inbound", "outbound", "app"):
        url = getattr(node, name)
        if name == "outbound" and not url:
            continue
        try:
            where = str(place_of_app(url) if name == "app" else place(url, name == "outbound"))
        except ValueError as error:
            raise ValueError(f"node.metadata.{name}: {error}") from None
        if where in taken:
            raise ValueError(f"node.metadata.{name} is {url!r}, which is {taken[where]}'s, too")
        taken[where] = name


def _callable(intent: Intent, node: Node) -> dict[str, ServiceIntent]:
    """Customers alone call an edge: nobody there shows a certificate."""
    if node.kind == SIDECAR and not node.outbound:
        return {}
    callers = {ANYONE, node.service}
    return {
        name: service
        for name, service in sorted(intent.services.items())
        if not service.is_edge and any(callers & set(rule.callers) for rule in service.may)
    }


def _versions(listed: Iterable[RouteIntent]) -> list[str]:
    """Of which there must be a cluster; `ALL_VERSIONS` among them if a route chooses none."""
    found: set[str] = set()
    for route in listed:
        found.update(route.to or (ALL_VERSIONS,))
    return sorted(found)


def _clusters(
    intent: Intent,
    called: Mapping[str, ServiceIntent],
    endpoints: Iterable[Endpoint],
    node: Node,
) -> Iterable[Message]:
    """Each with its assignment, be it empty: Envoy waits 15 s for one that is missing."""
    there: defaultdict[tuple[str, str], list[Endpoint]] = defaultdict(list)
    for each in endpoints:
        there[each.service, each.version].append(each)
        if each.version != ALL_VERSIONS:
            there[each.service, ALL_VERSIONS].append(each)
    is_proxyless = node.kind == PROXYLESS
    for name, service in called.items():
        listed = proxyless.fitting(service) if is_proxyless else routes.in_order(service)
        for version in _versions(listed):
            if is_proxyless:
                yield clusters.for_grpc(name, version, service)
            else:
                yield clusters.upstream(intent.mesh, name, version, service)
            yield assignment(clusters.name_of(name, version), there[name, version])


def _own(intent: Intent, called: Mapping[str, ServiceIntent], node: Node) -> Iterable[Message]:
    """Listeners and their routes, and the clusters that are in no registry."""
    if node.kind == PROXYLESS:
        for name, service in called.items():
            yield proxyless.listener(name)
            yield proxyless.route(name, service)
        return
    mesh, service = intent.mesh, intent.services[node.service]
    yield clusters.app(service, node.app)
    yield clusters.collector()
    yield listeners.inbound(mesh, node.service, service.is_edge, node.inbound)
    yield routes.inbound(service, f"{node.id} {node.version}".strip())
    if node.outbound:
        forbidden = [
            name
            for name, each in intent.services.items()
            if name not in called and not each.is_edge
        ]
        yield listeners.outbound(mesh, node.service, node.outbound)
        yield routes.outbound(mesh, called, forbidden)


def _name(message: Message) -> str:
    name = getattr(message, "name", "") or getattr(message, "cluster_name", "")
    return str(name)
