"""Any proxy, any delays, any changes: it ends with the newest that it can take, and on the way
there no route ever leads to a cluster that it has not.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from era6_control_plane.names import CDS, EDS, LDS, RDS
from era6_control_plane.snapshot import Resource, Snapshot
from era6_control_plane.talk import Mode
from tests.era6.simulated import Proxy, content, is_bad, resource

CLUSTERS = ("a", "b", "c")


def snapshots(seed: int, may_be_bad: bool) -> list[Snapshot]:
    """A history of them: each consistent, each with something of the last one."""
    rng = random.Random(seed)
    found: list[Snapshot] = []
    last: dict[tuple[str, str], Resource] = {}

    def one(kind: str, name: str, told: str = "") -> Resource:
        before = last.get((kind, name))
        if before and ",".join(sorted(content(before))) == told and rng.random() < 0.5:
            return before
        spoiled = may_be_bad and rng.random() < 0.15
        last[kind, name] = resource(kind, name, len(found) + 1, told, spoiled)
        return last[kind, name]

    for _ in range(rng.randint(2, 6)):
        names = sorted(rng.sample(CLUSTERS, rng.randint(1, len(CLUSTERS))))
        used = ",".join(each for each in names if rng.random() < 0.6)
        below = [one(kind, name) for kind in (CDS, EDS) for name in names]
        above = [one(LDS, "in", "r,s"), one(RDS, "r", used), one(RDS, "s")]
        found.append(Snapshot(below + above))
    return found


STEPS = st.lists(
    st.sampled_from(["next", "hear", "hear", "take", "take", "lost", "new proxy"]), max_size=60
)
SEEDS = st.integers(0, 1 << 32)
MODES = st.sampled_from(list(Mode))


def play(proxy: Proxy, history: list[Snapshot], steps: list[str]) -> Snapshot:
    """The steps, in this order; returns the snapshot that is in force at the end."""
    todo = iter(history)
    now = next(todo)
    for step in steps:
        if step == "next":
            now = next(todo, now)
            proxy.push(now)
        elif step == "hear":
            proxy.hear_one(now)
        elif step == "take":
            proxy.take_one()
        elif step == "lost":
            proxy.connect(proxy.stream)
        elif step == "new proxy":
            before = proxy.stream
            proxy.begin()
            proxy.connect(before)
    last = history[-1]
    proxy.settle(last)
    return last


@given(SEEDS, STEPS, MODES, st.booleans())
@settings(max_examples=150)
def test_whatever_happens_it_ends_with_the_newest(seed, steps, mode, waits):
    history = snapshots(seed, may_be_bad=False)
    proxy = Proxy(mode, tells_names=True, waits_for_warmth=waits)
    last = play(proxy, history, steps)
    for kind in (CDS, EDS, LDS, RDS):
        wanted = {name: one.version for name, one in last.of(kind).items()}
        assert proxy.versions_of(kind) == wanted, kind
    assert not proxy.cold and not proxy.patience, "it waits for endpoints that never came"
    assert proxy.stream.is_settled(last)
    for told in proxy.stream.progress(last).values():
        assert told.desired == told.sent == told.acknowledged and told.refused is None


@given(SEEDS, STEPS, MODES, st.booleans())
@settings(max_examples=150)
def test_what_is_bad_stays_out_and_what_is_good_gets_in(seed, steps, mode, waits):
    history = snapshots(seed, may_be_bad=True)
    proxy = Proxy(mode, tells_names=True, waits_for_warmth=waits)
    last = play(proxy, history, steps)
    for kind in (CDS, EDS):
        for name, one in last.of(kind).items():
            if not is_bad(one) and (kind == CDS or name in proxy.has[CDS]):
                assert proxy.versions_of(kind).get(name) == one.version, (kind, name)
    below_is_there = not any(is_bad(one) for kind in (CDS, EDS) for one in last.of(kind).values())
    for kind in (LDS, RDS) if below_is_there else ():
        for name, one in last.of(kind).items():
            if not is_bad(one) and (kind == LDS or "in" in proxy.has[LDS]):
                assert proxy.versions_of(kind).get(name) == one.version, (kind, name)
    assert proxy.stream.is_settled(last)


@given(SEEDS, STEPS, MODES)
@settings(max_examples=150)
def test_a_proxy_that_refuses_without_saying_what_is_told_the_next_version(seed, steps, mode):
    history = snapshots(seed, may_be_bad=True)
    proxy = Proxy(mode, tells_names=False, waits_for_warmth=False)
    play(proxy, history, steps)
    good = Snapshot(
        [
            *(resource(kind, name, 100) for kind in (CDS, EDS) for name in CLUSTERS),
            resource(LDS, "in", 100, "r,s"),
            resource(RDS, "r", 100, "a,b"),
            resource(RDS, "s", 100),
        ]
    )
    proxy.settle(good)
    for kind in (CDS, EDS, LDS, RDS):
        wanted = {name: one.version for name, one in good.of(kind).items()}
        assert proxy.versions_of(kind) == wanted, kind


@given(SEEDS, STEPS, MODES)
@settings(max_examples=150)
def test_a_pilot_that_has_forgotten_everything_tells_it_all_again(seed, steps, mode):
    history, other = snapshots(seed, may_be_bad=False), snapshots(~seed, may_be_bad=False)
    proxy = Proxy(mode, tells_names=True, waits_for_warmth=True)
    play(proxy, history, steps)
    proxy.newest.clear()  # its history is another one
    proxy.checks_routes = mode is Mode.DELTA  # the state of the world does not tell what it has
    proxy.connect(None)
    proxy.settle(other[-1])
    for kind in (CDS, EDS, LDS, RDS):
        wanted = {name: one.version for name, one in other[-1].of(kind).items()}
        assert proxy.versions_of(kind) == wanted, kind
