"""What Envoy itself thinks of a snapshot: the same resources as a static configuration, judged by
`envoy --mode validate`, which opens no socket.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as http,
)
from google.protobuf import json_format
from google.protobuf.message import Message

from era5_sidecar import bought
from era6_control_plane.names import AGENT, CDS, EDS, LDS, RDS
from era6_control_plane.snapshot import Resource, Snapshot

CHECK_S = 30.0


def envoy() -> str:
    """The binary; the test is skipped with the reason where there is none."""
    try:
        return bought.find("envoy")
    except bought.Missing as missing:
        pytest.skip(str(missing))


def judged(snapshot: Snapshot, folder: Path) -> tuple[int, str]:
    """Envoy's exit code, and what it said."""
    path = folder / "envoy.json"
    path.write_text(static(snapshot))
    command = [envoy(), "--mode", "validate", "-c", str(path), "--log-level", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S)
    return done.returncode, done.stdout + done.stderr


def accepted(snapshot: Snapshot, folder: Path) -> bool:
    """Whether Envoy takes it; a claim, whose failure shows what Envoy said."""
    code, said = judged(snapshot, folder)
    assert code == 0, said
    return True


def static(snapshot: Snapshot, agent: str = "/nowhere/agent.sock", admin: int = 0) -> str:
    """The snapshot as Envoy's file: routes in their listeners, assignments in their clusters."""
    clusters = [_whole(each, snapshot) for each in snapshot.of(CDS).values()]
    listeners = [_complete(each, snapshot) for each in snapshot.of(LDS).values()]
    told = {
        "node": {"id": "inventory-1", "cluster": "inventory"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {
            "clusters": [*map(_json, clusters), _agent(agent)],
            "listeners": [*map(_json, listeners)],
        },
    }
    json_format.ParseDict(told, Bootstrap())  # ours to know before Envoy says it
    return json.dumps(told, indent=1)


def unpacked(resource: Resource) -> Any:
    """The message in a resource."""
    kinds = {CDS: Cluster, EDS: ClusterLoadAssignment, LDS: Listener, RDS: RouteConfiguration}
    message = kinds[resource.type_url]()
    resource.body.Unpack(message)
    return message


def managers(listener: Any) -> list[Any]:
    """The connection manager of each of a listener's chains."""
    found = []
    for chain in listener.filter_chains:
        manager = http.HttpConnectionManager()
        chain.filters[-1].typed_config.Unpack(manager)
        found.append(manager)
    return found


def _whole(resource: Resource, snapshot: Snapshot) -> Any:
    cluster = unpacked(resource)
    if cluster.type == Cluster.EDS:
        cluster.type = Cluster.STATIC
        cluster.ClearField("eds_cluster_config")
        cluster.load_assignment.CopyFrom(unpacked(snapshot.of(EDS)[cluster.name]))
    return cluster


def _complete(resource: Resource, snapshot: Snapshot) -> Any:
    listener = unpacked(resource)
    for chain, manager in zip(listener.filter_chains, managers(listener), strict=True):
        routes = unpacked(snapshot.of(RDS)[manager.rds.route_config_name])
        manager.route_config.CopyFrom(routes)
        chain.filters[-1].typed_config.Pack(manager)
    return listener


def _json(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _agent(path: str) -> dict[str, Any]:
    """Where secrets would come from."""
    kind = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": kind, "explicit_http_config": {"http2_protocol_options": {}}}
    where = {"endpoint": {"address": {"pipe": {"path": path}}}}
    return {
        "name": AGENT,
        "type": "STATIC",
        "typed_extension_protocol_options": {kind.rpartition("/")[2]: http2},
        "load_assignment": {"cluster_name": AGENT, "endpoints": [{"lb_endpoints": [where]}]},
    }
