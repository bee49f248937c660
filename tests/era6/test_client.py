"""A client's side of incremental xDS on scripted timelines: no network, no time."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, Resource
from google.protobuf.any_pb2 import Any

from era6_control_plane.following import Following
from era6_control_plane.names import CDS, EDS, LDS, RDS, SHORT
from era6_control_plane.streams import Complaints

NAMES = {  # who names whom, in these tests: a body is a list of names
    CDS: EDS,
    LDS: RDS,
}


def read(kind: str, name: str, body: Any) -> tuple[str, ...]:
    told = Cluster.FromString(body.value)
    if told.name == "bad":
        raise ValueError(f"{name}.field is set, and means nothing to this proxy")
    return tuple(filter(None, told.name.split()))


def wanted(said):
    return {
        named: {each for names in said[kind].values() for each in names}
        for kind, named in NAMES.items()
    }


class Timeline:
    """What was said to the other side, in one line each."""

    def __init__(self) -> None:
        self.following = Following((CDS, LDS), (EDS, RDS), read)

    def begin(self) -> list[str]:
        return [_told(each) for each in self.following.begin(wanted)]

    def hear(
        self, kind: str, nonce: str, removed: tuple[str, ...] = (), **resources: str
    ) -> list[str]:
        answer = DeltaDiscoveryResponse(type_url=kind, nonce=nonce, removed_resources=removed)
        for name, body in resources.items():
            answer.resources.append(resource(kind, name, body, f"{nonce}-{name}"))
        return [_told(each) for each in self.following.hear(answer, wanted)]


def resource(kind: str, name: str, body: str, version: str) -> Resource:
    packed = Any(type_url=kind, value=Cluster(name=body).SerializeToString())
    return Resource(name=name, version=version, resource=packed)


def _told(request) -> str:
    words = [SHORT.get(request.type_url, request.type_url)]
    words += [f"+{name}" for name in request.resource_names_subscribe]
    words += [f"-{name}" for name in request.resource_names_unsubscribe]
    words += [f"has {n}={v}" for n, v in sorted(request.initial_resource_versions.items())]
    if request.response_nonce:
        kind = "NACK" if request.HasField("error_detail") else "ACK"
        words.append(f"{kind} {request.response_nonce}")
        words += [request.error_detail.message] * (kind == "NACK")
    return " ".join(words)


@pytest.fixture
def timeline() -> Timeline:
    found = Timeline()
    found.begin()
    return found


def test_a_stream_begins_with_all_clusters_and_all_listeners():
    assert Timeline().begin() == ["CDS", "LDS"]


def test_what_an_answer_names_is_asked_for_before_it_is_acknowledged(timeline):
    assert timeline.hear(CDS, "1", a="x y") == ["EDS +x +y", "CDS ACK 1"]
    assert timeline.hear(LDS, "2", outbound="routes") == ["RDS +routes", "LDS ACK 2"]
    assert timeline.hear(EDS, "3", x="", y="") == ["EDS ACK 3"]


def test_what_is_named_no_more_is_followed_no_more(timeline):
    timeline.hear(CDS, "1", a="x", b="y")
    timeline.hear(EDS, "2", x="", y="")
    assert timeline.hear(CDS, "3", removed=("b",)) == ["EDS -y", "CDS ACK 3"]
    assert set(timeline.following.said()[EDS]) == {"x"}


def test_one_that_is_refused_is_refused_by_name_and_field_and_the_others_count(timeline):
    timeline.hear(CDS, "1", a="x", b="y")
    assert timeline.hear(CDS, "2", a="bad", c="z") == [
        "EDS +z",
        "CDS NACK 2 a: a.field is set, and means nothing to this proxy",
    ]
    assert timeline.following.said()[CDS] == {"a": ("x",), "b": ("y",), "c": ("z",)}
    assert timeline.following.refused == {
        (CDS, "a"): "a.field is set, and means nothing to this proxy"
    }


def test_a_refusal_is_over_when_it_is_said_better_or_not_at_all(timeline):
    timeline.hear(CDS, "1", a="bad", b="bad")
    timeline.hear(CDS, "2", removed=("b",), a="x")
    assert timeline.following.refused == {}


def test_on_the_next_stream_only_what_was_accepted_is_claimed(timeline):
    timeline.hear(CDS, "1", a="x")
    timeline.hear(LDS, "2", outbound="r")
    timeline.hear(EDS, "3", x="")
    timeline.hear(CDS, "4", a="bad")
    assert timeline.begin() == ["CDS has a=1-a", "LDS has outbound=2-outbound",
                                "EDS +x has x=3-x", "RDS +r"]  # fmt: skip


def test_what_is_asked_for_and_is_not_there_is_forgotten(timeline):
    timeline.hear(CDS, "1", a="x")
    timeline.hear(EDS, "2", x="")
    answer = DeltaDiscoveryResponse(type_url=EDS, nonce="3", resources=[Resource(name="x")])
    assert [_told(each) for each in timeline.following.hear(answer, wanted)] == ["EDS ACK 3"]
    assert timeline.following.said()[EDS] == {}


def test_a_kind_that_nobody_asked_for_is_refused(timeline):
    assert timeline.hear("other", "1") == ["other NACK 1 nobody asked for other"]


def test_what_was_in_force_before_a_start_is_claimed_and_asked_for(timeline):
    timeline.hear(CDS, "1", a="x")
    timeline.hear(EDS, "2", x="")
    again = Timeline()
    again.following.remember([*timeline.following.resources(), resource(CDS, "b", "bad", "9")])
    assert again.begin() == ["CDS has a=1-a", "LDS", "EDS +x has x=2-x"]


def test_nothing_is_said_twice(timeline):
    timeline.hear(CDS, "1", a="x")
    assert timeline.hear(CDS, "2", b="x") == ["CDS ACK 2"]


def test_a_complaint_is_told_once_until_it_is_another_one_and_its_end_too():
    told: list[str] = []
    complaints = Complaints(told.append)
    for complaint in ("", "gone", "gone", "late", "", ""):
        complaints.tell("pilot", complaint)
    assert told == ["pilot: gone", "pilot: late", "pilot: answers again"]
