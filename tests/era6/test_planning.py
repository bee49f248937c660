"""Timelines of one stream: push, hear, expect. Names of resources: a, b clusters, in a listener,
r its routes; a resource's number is its version.
"""

import pytest

from era6_control_plane.names import CDS, EDS, LDS, RDS, SDS, SHORT
from era6_control_plane.planning import Stream
from era6_control_plane.snapshot import Snapshot, version_of
from era6_control_plane.talk import Heard, Mode, Request
from tests.era6.simulated import resource

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
SOTW = Mode.SOTW
DELTA = Mode.DELTA
KIND = {short: kind for kind, short in SHORT.items()}


def snapshot(**told):
    """snapshot(CDS={"a": 1}): each kind's names and numbers."""
    return Snapshot(
        resource(KIND[short], name, number)
        for short, names in told.items()
        for name, number in names.items()
    )


FIRST = snapshot(CDS={"a": 1}, EDS={"a": 1}, LDS={"in": 1}, RDS={"r": 1})
BOTH_ROUTES = {"LDS": {"in": 1}, "RDS": {"r": 1}}


class Timeline:
    """A stream, and the last answer of each kind."""

    def __init__(self, mode, now, before=None):
        self.stream, self.mode, self.now = Stream(mode, before), mode, now
        self.last = {}

    def push(self, now):
        self.now = now
        return self.look()

    def look(self):
        answers = self.stream.plan(self.now)
        self.last |= {each.type_url: each for each in answers}
        return [self._shown(each) for each in answers]

    def ask(self, kind, *names, **more):
        self.heard = self.stream.hear(Request(kind, names=names, **more))
        return self.look()

    def take(self, kind, *names):
        answer = self.last[kind]
        names = names if self.mode is SOTW else ()
        return self.ask(kind, *names, nonce=answer.nonce, version=answer.version)

    def refuse(self, kind, why, *names):
        names = names if self.mode is SOTW else ()
        return self.ask(kind, *names, nonce=self.last[kind].nonce, refused=why)

    def _shown(self, answer):
        told = {one.name: int(one.version.split()[0]) for one in answer.resources}
        told |= {f"-{name}": 0 for name in answer.removed}
        return SHORT[answer.type_url], told

    def follow(self):
        """Everything is asked for and taken, as Envoy does it."""
        self.ask(CDS)
        self.ask(EDS, *self.now.of(CDS))
        self.take(CDS)
        self.take(EDS, *self.now.of(CDS))
        self.ask(LDS)
        self.ask(RDS, "r")
        self.take(LDS)
        self.take(RDS, "r")
        return self


@BOTH
def test_routes_wait_until_clusters_and_endpoints_are_there(mode):
    line = Timeline(mode, FIRST)
    assert line.ask(CDS) == [("CDS", {"a": 1})]
    assert line.ask(LDS) == []
    assert line.ask(EDS, "a") == [("EDS", {"a": 1})]
    assert line.take(CDS) == []
    assert line.take(EDS, "a") == [("LDS", {"in": 1})]
    assert line.ask(RDS, "r") == [("RDS", {"r": 1})]


@BOTH
def test_a_cluster_goes_when_no_route_leads_there_any_more(mode):
    line = Timeline(mode, FIRST).follow()
    both = {"a": 1, "b": 2} if mode is SOTW else {"b": 2}
    assert line.push(snapshot(CDS={"b": 2}, EDS={"b": 2}, LDS={"in": 1}, RDS={"r": 2})) == [
        ("CDS", both),
        *([("EDS", {"a": 1})] if mode is SOTW else []),
    ]
    line.ask(EDS, *(("a", "b") if mode is SOTW else ("b",)))
    line.take(CDS)
    told = line.take(EDS, "a", "b")
    if mode is SOTW:  # the endpoints of b were asked for while the others were on their way
        assert told == [("EDS", {"a": 1, "b": 2})]
        told = line.take(EDS, "a", "b")
    assert told == [("RDS", {"r": 2})]
    gone = ("CDS", {"b": 2} if mode is SOTW else {"-a": 0})
    assert line.take(RDS, "r") == [gone]


def test_a_change_of_clusters_is_followed_by_endpoints_whole():
    line = Timeline(SOTW, FIRST).follow()
    changed = snapshot(CDS={"a": 2}, EDS={"a": 1}, **BOTH_ROUTES)
    assert line.push(changed) == [("CDS", {"a": 2}), ("EDS", {"a": 1})]
    old = "nonce of the answer before"
    assert line.ask(EDS, "a", nonce=old) == [], "Envoy asks again; that is answered already"
    assert line.heard is Heard.STALE


def test_a_change_of_clusters_is_followed_by_endpoints_of_the_changed_only():
    two = {"a": 1, "b": 1}
    line = Timeline(DELTA, snapshot(CDS=two, EDS=two, **BOTH_ROUTES)).follow()
    changed = snapshot(CDS={"a": 2, "b": 1}, EDS=two, **BOTH_ROUTES)
    assert line.push(changed) == [("CDS", {"a": 2}), ("EDS", {"a": 1})]


@BOTH
def test_what_is_on_its_way_is_waited_for(mode):
    line = Timeline(mode, FIRST)
    line.ask(CDS)
    assert line.push(snapshot(CDS={"a": 2})) == []
    assert line.push(snapshot(CDS={"a": 3})) == []
    assert line.take(CDS) == [("CDS", {"a": 3})]


@BOTH
def test_a_refused_version_is_not_said_again_and_a_newer_one_is(mode):
    line = Timeline(mode, FIRST).follow()
    line.push(snapshot(CDS={"a": 2}, EDS={"a": 1}, **BOTH_ROUTES))
    line.take(EDS, "a")
    assert line.refuse(CDS, "a: no") == []
    progress = line.stream.progress(line.now)[CDS]
    assert progress.refused == "a: no"
    assert progress.acknowledged == version_of(FIRST.of(CDS).values())
    assert line.push(FIRST) == [], "the last good is there"
    assert line.push(snapshot(CDS={"a": 2}, EDS={"a": 1}, **BOTH_ROUTES)) == []
    newer = snapshot(CDS={"a": 3}, EDS={"a": 1}, **BOTH_ROUTES)
    assert line.push(newer)[0] == ("CDS", {"a": 3})


@BOTH
def test_who_is_innocent_of_a_refusal_is_sent_again(mode):
    line = Timeline(mode, snapshot(CDS={"a": 1, "b": 1}))
    line.ask(CDS)
    assert line.refuse(CDS, "Error adding/updating cluster(s) b: no") == [("CDS", {"a": 1})]
    assert line.take(CDS) == []


@BOTH
def test_a_refused_route_keeps_the_cluster_that_the_last_good_leads_to(mode):
    line = Timeline(mode, FIRST).follow()
    next_one = snapshot(CDS={"b": 2}, EDS={"b": 2}, LDS={"in": 1}, RDS={"r": 2})
    line.push(next_one)
    line.ask(EDS, *(("a", "b") if mode is SOTW else ("b",)))
    line.take(CDS)
    if mode is SOTW:
        line.take(EDS, "a", "b")
    assert line.take(EDS, "a", "b") == [("RDS", {"r": 2})]
    assert line.refuse(RDS, "r: no regex", "r") == [], "a stays"
    assert line.push(snapshot(CDS={"b": 2}, EDS={"b": 2}, LDS={"in": 1}, RDS={"r": 3})) == [
        ("RDS", {"r": 3})
    ]
    assert line.take(RDS, "r")[0][0] == "CDS", "now it goes"


@BOTH
def test_a_refused_cluster_of_which_there_is_no_other_keeps_routes_back(mode):
    line = Timeline(mode, FIRST).follow()
    line.push(snapshot(CDS={"a": 1, "b": 2}, EDS={"a": 1, "b": 2}, LDS={"in": 1}, RDS={"r": 2}))
    if mode is SOTW:
        line.take(EDS, "a")
    assert line.refuse(CDS, "b: no") == []
    assert line.stream.is_settled(line.now)
    assert line.push(snapshot(CDS={"a": 1}, EDS={"a": 1}, LDS={"in": 1}, RDS={"r": 3})) == [
        ("RDS", {"r": 3})
    ]


@BOTH
def test_an_answer_that_is_refused_without_anything_new_in_it_is_not_repeated(mode):
    line = Timeline(mode, FIRST).follow()
    assert line.push(snapshot(CDS={"a": 1}, EDS={"a": 1}, RDS={"r": 1}))[0][0] == "LDS"
    assert line.refuse(LDS, "no") == []


@BOTH
def test_a_node_that_nobody_knows_is_told_nothing(mode):
    line = Timeline(mode, None)
    assert line.ask(CDS) == [] and line.ask(LDS) == []
    assert line.push(FIRST)[0] == ("CDS", {"a": 1})


@BOTH
def test_a_node_that_is_known_no_more_keeps_what_it_has(mode):
    line = Timeline(mode, FIRST).follow()
    assert line.push(None) == []
    assert line.stream.is_settled(None)


@BOTH
def test_a_stale_nonce_says_nothing_and_its_names_count(mode):
    two = {"a": 1, "b": 1}
    line = Timeline(mode, snapshot(CDS=two, EDS=two))
    line.ask(EDS, "a")
    line.take(EDS, "a")
    names = ("a", "b") if mode is SOTW else ("b",)
    told = line.ask(EDS, *names, nonce="of long ago")
    assert line.heard is Heard.STALE
    assert told == [("EDS", two if mode is SOTW else {"b": 1})]


@BOTH
def test_a_stale_refusal_refuses_nothing(mode):
    line = Timeline(mode, FIRST)
    line.ask(CDS)
    line.ask(CDS, nonce="0", refused="no")
    assert line.heard is Heard.STALE
    assert line.take(CDS) == [] and line.stream.progress(FIRST)[CDS].refused is None


@BOTH
def test_a_kind_that_nobody_knows_is_not_answered(mode):
    line = Timeline(mode, FIRST)
    assert line.ask("type.googleapis.com/none") == [] and line.heard is Heard.UNKNOWN
    assert line.stream.progress(FIRST) == {}


def test_no_names_mean_all_only_until_some_are_named_whole():
    two = {"a": 1, "b": 1}
    line = Timeline(SOTW, snapshot(CDS=two))
    assert line.ask(CDS) == [("CDS", two)]
    assert line.take(CDS) == []
    assert line.take(CDS, "a") == []
    assert line.push(snapshot(CDS={"a": 1, "b": 2})) == [], "b is not asked for"
    assert line.take(CDS) == []
    assert line.push(snapshot(CDS={"a": 3, "b": 3})) == [], "nor anything"


def test_no_names_mean_all_in_the_first_request_only_delta():
    two = {"a": 1, "b": 1}
    line = Timeline(DELTA, snapshot(CDS=two))
    assert line.ask(CDS, "a") == [("CDS", {"a": 1})]
    assert line.take(CDS) == []
    assert line.ask(CDS, "*") == [("CDS", {"b": 1})]
    line.take(CDS)
    assert line.ask(CDS, dropped=("*",)) == []
    assert line.push(snapshot(CDS={"a": 2, "b": 2})) == [("CDS", {"a": 2})]


def test_what_is_asked_for_by_name_and_is_not_there_is_said_so_once():
    line = Timeline(DELTA, FIRST)
    assert line.ask(EDS, "b") == [("EDS", {"-b": 0})]
    assert line.take(EDS) == []
    assert line.push(snapshot(EDS={"b": 7})) == [("EDS", {"b": 7})]
    line.take(EDS)
    assert line.push(FIRST) == [("EDS", {"-b": 0})]


def test_what_is_dropped_is_not_told_and_is_told_when_asked_for_again():
    line = Timeline(DELTA, FIRST).follow()
    assert line.ask(EDS, dropped=("a",)) == []
    assert line.push(snapshot(CDS={"a": 1}, EDS={"a": 2}, **BOTH_ROUTES)) == []
    assert line.ask(EDS, "a") == [("EDS", {"a": 2})]


def test_who_comes_back_with_the_same_version_is_sent_nothing_whole():
    version = version_of(FIRST.of(CDS).values())
    line = Timeline(SOTW, FIRST)
    assert line.ask(CDS, version=version) == []
    assert line.stream.is_settled(FIRST)
    assert line.push(snapshot(CDS={"a": 2})) == [("CDS", {"a": 2})]


def test_who_comes_back_with_the_same_versions_is_sent_nothing_delta():
    has = {"a": FIRST.of(CDS)["a"].version}
    line = Timeline(DELTA, FIRST)
    assert line.ask(CDS, has=has) == []
    assert line.push(snapshot(CDS={"b": 1})) == [("CDS", {"b": 1})], "a goes after its routes"


@BOTH
def test_who_comes_back_keeps_its_clusters_until_its_routes_are_new(mode):
    old = Timeline(mode, FIRST).follow()
    line = Timeline(mode, snapshot(CDS={"b": 2}, EDS={"b": 2}, LDS={"in": 1}, RDS={"r": 2}))
    line.stream = Stream(mode, old.stream)

    def back(kind, *names):
        version = old.last[kind].version if mode is SOTW else ""
        has = {name: one.version for name, one in FIRST.of(kind).items()}
        return line.ask(kind, *names, version=version, has=has if mode is DELTA else {})

    assert back(CDS) == [("CDS", {"a": 1, "b": 2} if mode is SOTW else {"b": 2})]
    line.take(CDS)
    back(EDS, "a", "b")
    line.take(EDS, "a", "b")
    assert back(LDS) == []
    assert back(RDS, "r") == [("RDS", {"r": 2})]
    assert line.take(RDS, "r") == [("CDS", {"b": 2} if mode is SOTW else {"-a": 0})]


@BOTH
def test_what_was_refused_before_the_connection_was_lost_stays_refused(mode):
    old = Timeline(mode, FIRST).follow()
    bad = snapshot(CDS={"a": 1}, EDS={"a": 1}, LDS={"in": 2}, RDS={"r": 1})
    old.push(bad)
    old.refuse(LDS, "no")
    line = Timeline(mode, bad, old.stream)
    version = version_of(FIRST.of(LDS).values())
    has = {"in": FIRST.of(LDS)["in"].version} if mode is DELTA else {}
    assert line.ask(LDS, version=version if mode is SOTW else "", has=has) == []
    assert line.stream.progress(bad)[LDS].refused == "no"


def test_secrets_wait_for_nothing():
    line = Timeline(DELTA, snapshot(SDS={"default": 1, "ROOTCA": 1}))
    assert line.ask(SDS, "default") == [("SDS", {"default": 1})]
    assert line.ask(SDS, "ROOTCA") == [], "one answer of a kind at a time"
    assert line.take(SDS) == [("SDS", {"ROOTCA": 1})]
    line.take(SDS)
    assert line.push(snapshot(SDS={"default": 2, "ROOTCA": 1})) == [("SDS", {"default": 2})]


def test_a_client_that_asks_from_the_top_is_answered_from_the_top():
    """gRPC's own: a listener by name, its routes, their clusters, their endpoints."""
    line = Timeline(SOTW, FIRST)
    assert line.ask(LDS, "in") == [("LDS", {"in": 1})]
    line.take(LDS, "in")
    assert line.ask(RDS, "r") == [("RDS", {"r": 1})]
    line.take(RDS, "r")
    assert line.ask(CDS, "a") == [("CDS", {"a": 1})]
    assert line.ask(EDS, "a") == [("EDS", {"a": 1})]
    line.take(CDS, "a")
    line.take(EDS, "a")
    assert line.ask(LDS, "none") == [("LDS", {})], "that there is none is told at once"


def test_more_names_than_any_node_has_are_refused():
    with pytest.raises(ValueError, match="20001 names"):
        Stream(DELTA).hear(Request(EDS, names=tuple(map(str, range(20_001)))))
    with pytest.raises(ValueError, match="20001 versions"):
        Stream(DELTA).hear(Request(CDS, has={str(number): "1" for number in range(20_001)}))
