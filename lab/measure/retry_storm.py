"""Attempts and goodput each second, while an inventory stands still and after it has come back.

A simulation on virtual time (`storm.py`), as the real thing would say more about this machine's two
processors than about retries; the policies in it are era 4's own objects with its own numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from lab.measure.figure import Figure, compare
from lab.measure.storm import Instance, World
from lab.measure.storm_callers import Naive, WithPolicies, policy
from lab.measure.turns import Part, Step

SEEDS = (1, 2, 3, 4, 5)
INSTANCES = 3
OFFERED_PER_S = 150.0
CAPACITY_PER_S = 250.0
FAILS_S, WELL_S, END_S = 5, 10, 30
RECOVERED = 0.9  # of what is offered
COST_S = 0.7  # of one seed
WAYS = ("era-4", "caller-only", "naive")  # the first is ours
PEERS = {
    "caller-only": "era 4's caller, and a server that refuses nothing",
    "naive": "four tries, one right after the other",
}
CONDITIONS = {
    "retry_storm": f"simulated: {OFFERED_PER_S:.0f} requests/s at {INSTANCES} instances that can "
    f"serve {CAPACITY_PER_S:.0f}/s together, and stand still from {FAILS_S} s to {WELL_S} s; "
    "era-4 is its caller's policies and its server's (shedding, deadlines)",
}


@dataclass(frozen=True)
class Course:
    """What happened in each second."""

    attempts: tuple[int, ...]
    goodput: tuple[int, ...]  # requests answered before they were given up

    @property
    def worst(self) -> float:
        """The most attempts in a second."""
        return float(max(self.attempts))

    @property
    def recovery(self) -> float:
        """The seconds from when the instances were well until goodput was back for good."""
        enough = RECOVERED * OFFERED_PER_S
        last_bad = max((s for s in range(WELL_S, END_S) if self.goodput[s] < enough), default=-1)
        return float(max(0, last_bad + 1 - WELL_S))


def parts(quick: bool) -> list[Part]:
    """Return the one part: all ways on each seed."""
    seeds = SEEDS[:1] if quick else SEEDS

    def run(step: Step) -> list[Figure]:
        courses: dict[str, list[Course]] = {way: [] for way in WAYS}
        for seed in seeds:
            for way in WAYS:
                courses[way].append(play(way, seed))
            step(f"retry storm, seed {seed}", COST_S)
        return figures(courses)

    return [Part(names(), COST_S * len(seeds), run)]


def play(way: str, seed: int) -> Course:
    """Simulate one way to call through the whole storm."""
    world, rng = World(), Random(seed)
    sheds = policy("policies.shedder").Shedder if way == "era-4" else None
    most = policy("config").ServerConfig().most_in_flight
    instances = [
        Instance(
            world,
            INSTANCES / CAPACITY_PER_S,
            Random(rng.random()),
            sheds(most) if sheds else None,
            heeds_deadlines=way == "era-4",
        )
        for _ in range(INSTANCES)
    ]
    caller = Naive(world, instances) if way == "naive" else WithPolicies(world, instances, rng)
    for number in range(round(END_S * OFFERED_PER_S)):
        world.after(number / OFFERED_PER_S, caller.ask)
    for instance in instances:
        world.after(FAILS_S, instance.stand_still)
        world.after(WELL_S, instance.move_on)
    world.run(END_S)
    attempts = [at for instance in instances for at in instance.attempts]
    return Course(per_second(attempts), per_second(caller.answered))


def per_second(moments: Sequence[float]) -> tuple[int, ...]:
    """How many of them lie in each second."""
    counts = [0] * END_S
    for moment in moments:
        counts[min(int(moment), END_S - 1)] += 1
    return tuple(counts)


def names() -> tuple[str, ...]:
    """Return the names of all figures."""
    return tuple(
        f"stack/retry-storm/{way}/{label}"
        for way in WAYS[1:]
        for label in (
            "worst",
            "recovery",
            *(f"attempts/{second}s" for second in range(END_S)),
            *(f"goodput/{second}s" for second in range(END_S)),
        )
    )


def figures(courses: Mapping[str, Sequence[Course]]) -> list[Figure]:
    """Return the figures from each seed's courses."""
    ours = courses[WAYS[0]]
    return [figure for way in WAYS[1:] for figure in _beside(ours, courses[way], way)]


def _beside(ours: Sequence[Course], peer: Sequence[Course], way: str) -> list[Figure]:
    def figure(label: str, unit: str, one: Sequence[float], other: Sequence[float]) -> Figure:
        return compare(f"stack/retry-storm/{way}/{label}", unit, one, other, PEERS[way])

    found = [
        figure("worst", "attempts/s", [one.worst for one in ours], [one.worst for one in peer]),
        figure("recovery", "s", [one.recovery for one in ours], [one.recovery for one in peer]),
    ]
    for label in ("attempts", "goodput"):
        for second in range(END_S):
            sides = ([getattr(one, label)[second] for one in side] for side in (ours, peer))
            found.append(figure(f"{label}/{second}s", "1/s", *sides))
    return found
