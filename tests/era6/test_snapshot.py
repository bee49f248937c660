"""A snapshot: versions are hashes of what is said, and of nothing else."""

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route
from google.protobuf.struct_pb2 import Struct

from era6_control_plane.names import CDS, EDS, LDS, ORDER, RDS
from era6_control_plane.snapshot import Resource, Snapshot, version_of


def cluster(name: str, **others: object) -> Resource:
    return Resource.pack(name, Cluster(name=name, **others))


def test_the_same_content_has_the_same_version_whoever_says_it_and_when():
    one, other = Struct(), Struct()
    one.update({"a": 1, "b": 2})
    other.update({"b": 2, "a": 1})
    said = [cluster("x", metadata={"filter_metadata": {"m": each}}) for each in (one, other)]
    assert said[0] == said[1]
    assert said[0].version != cluster("x").version


def test_a_kinds_version_is_of_all_its_resources_in_whatever_order():
    a, b = cluster("a"), cluster("b")
    assert Snapshot([a, b]).version(CDS) == Snapshot([b, a]).version(CDS) == version_of([a, b])
    assert Snapshot([a]).version(CDS) != Snapshot([a, b]).version(CDS)


def test_a_kind_without_resources_has_a_version_too():
    assert Snapshot().version(CDS) == Snapshot().version(RDS) == version_of([])


def test_snapshots_are_equal_if_they_say_the_same():
    assert Snapshot([cluster("a")]) == Snapshot([cluster("a")])
    assert Snapshot([cluster("a")]) != Snapshot([cluster("a", connect_timeout={"seconds": 1})])
    assert Snapshot() != "no snapshot"


def test_a_resource_is_found_by_kind_and_name():
    assignment = Resource.pack("a", ClusterLoadAssignment(cluster_name="a"))
    listener = Resource.pack("inbound", Listener(name="inbound"))
    snapshot = Snapshot([cluster("a"), assignment, listener])
    assert snapshot.of(CDS)["a"].type_url == CDS
    assert snapshot.of(EDS)["a"] is assignment
    assert list(snapshot.of(LDS)) == ["inbound"]
    assert not snapshot.of(RDS)


def test_what_nobody_asks_for_and_two_of_one_name_are_refused():
    with pytest.raises(ValueError, match="none of xDS's"):
        Snapshot([Resource.pack("r", Route(name="r"))])
    with pytest.raises(ValueError, match="two resources 'a'"):
        Snapshot([cluster("a"), cluster("a")])


def test_its_repr_counts():
    counted = repr(Snapshot([cluster("a"), cluster("b")]))
    assert "2 Cluster" in counted and counted.count(",") == len(ORDER) - 1
