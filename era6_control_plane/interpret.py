"""What a proxy of ours makes of resources: the same messages that steer Envoy.

One by one they are read (`read`): what is set and means nothing to us is refused by its path. What
follows from all of them together is `interpret`: while something that is named has not come yet,
it is no whole, and what was said before stays in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.message import DecodeError

from era6_control_plane.interpret_cluster import assignment, cluster
from era6_control_plane.interpret_inbound import inbound
from era6_control_plane.interpret_listener import listener
from era6_control_plane.interpret_outbound import outbound
from era6_control_plane.interpret_transport import secret
from era6_control_plane.names import APP, CDS, EDS, INBOUND, LDS, OUTBOUND, RDS, SDS
from era6_control_plane.reading import Refused
from era6_control_plane.told import AppSaid, ClusterSaid, HostTold, InboundSaid, ListenerSaid, Told

__all__ = ["Incomplete", "Refused", "interpret", "read", "wanted"]

KINDS = {
    LDS: Listener,
    RDS: RouteConfiguration,
    CDS: Cluster,
    EDS: ClusterLoadAssignment,
    SDS: Secret,
}
NONSENSE = (DecodeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
Said = Mapping[str, Mapping[str, Any]]  # type URL -> name -> as `read` gave it


class Incomplete(LookupError):
    """Something that is named has not come yet; the message says what."""


def read(type_url: str, name: str, body: Any) -> Any:
    """A resource as it is understood: one of told.py's parts. body: an Any with a message of this
    type. Raises Refused, whose text begins with the field's path.
    """
    kind = KINDS[type_url]()
    try:
        if not body.Unpack(kind):
            raise Refused(f"it is a {body.type_url!r}: accepted is {type_url}")
        return _read(type_url, name, kind)
    except Refused:
        raise
    except NONSENSE as error:  # bytes that are no message, numbers that no enum has
        raise Refused(f"it makes no sense ({type(error).__name__}: {error})") from error


def _read(type_url: str, name: str, kind: Any) -> Any:
    readers = {LDS: listener, CDS: cluster, EDS: assignment, SDS: secret}
    if type_url == RDS:
        return inbound(name, kind) if name == INBOUND else outbound(name, kind)
    if type_url == LDS and name not in (INBOUND, OUTBOUND):
        raise Refused(f"it is no listener of ours: accepted are {INBOUND}, {OUTBOUND}")
    return readers[type_url](name, kind)


def wanted(said: Said) -> dict[str, Collection[str]]:
    """The names of those resources (EDS, RDS, SDS) that others (LDS, CDS) name."""
    listeners: Collection[ListenerSaid] = said.get(LDS, {}).values()
    clusters = [each for each in said.get(CDS, {}).values() if isinstance(each, ClusterSaid)]
    secrets = [each.secrets for each in listeners] + [each.secrets for each in clusters]
    return {
        EDS: {each.assignment for each in clusters},
        RDS: {each.routes for each in listeners},
        SDS: frozenset().union(*secrets),
    }


def interpret(said: Said) -> Told:
    """All of it together, who is there left out. Raises Incomplete, Refused."""
    app = _of(said, CDS, APP)
    if not isinstance(app, AppSaid):
        raise Refused(f"{APP}: accepted is a cluster with one address")
    inbound_listener: ListenerSaid = _of(said, LDS, INBOUND)
    admission = _of(said, RDS, inbound_listener.routes)
    if not isinstance(admission, InboundSaid):
        raise Refused(f"{INBOUND}: its routes are none of {INBOUND}'s")
    outbound_listener: ListenerSaid | None = said.get(LDS, {}).get(OUTBOUND)
    if outbound_listener is None:
        return Told(app, inbound_listener, admission)
    hosts = _of(said, RDS, outbound_listener.routes)
    if isinstance(hosts, InboundSaid):
        raise Refused(f"{OUTBOUND}: its routes are those of {INBOUND}")
    clusters = {name: _warm(said, name) for name in sorted(_led_to(hosts))}
    return Told(app, inbound_listener, admission, outbound_listener, hosts, clusters)


def _led_to(hosts: Collection[HostTold]) -> set[str]:
    return {name for host in hosts for route in host.routes for name, _ in route.to}


def _warm(said: Said, name: str) -> ClusterSaid:
    """A cluster of which it is known who is there, be it nobody."""
    found = _of(said, CDS, name)
    if not isinstance(found, ClusterSaid):
        raise Refused(f"{name}: accepted is a cluster of EDS")
    _of(said, EDS, found.assignment)
    return found


def _of(said: Said, kind: str, name: str) -> Any:
    found = said.get(kind, {}).get(name)
    if found is None:
        raise Incomplete(f"{kind.rpartition('.')[2]} {name} has not come yet")
    return found
