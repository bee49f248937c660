"""How many attempts reach an inventory that always fails, for each order of a customer.

Beside an era: three layers, each of which tries four times and knows of no budget. That makes
4 × 4 × 4 attempts, which are counted as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.measure.amplified import (
    INSTANCES,
    MIN_RETRIES_PER_S,
    RATE_PER_S,
    TTL_S,
    Amplified,
    in_era,
    in_naive_layers,
)
from lab.measure.figure import Figure, Target, alone, compare
from lab.measure.turns import Part, Step

ERAS = ("4", "3")
KINDS = {"failing": 500, "busy": 503}
ROUNDS = 5
LOAD_S, QUICK_LOAD_S = 6.0, 2.0
START_S = 2.5  # of the processes of one round; only for the estimate of the time left
BEYOND_FLOOR = Target("ours", at_most=1.3)
CONDITIONS = {
    "amplification": f"{RATE_PER_S:.0f} orders/s for {LOAD_S:g} s at {INSTANCES} stand-ins that "
    "answer 500 (failing: perhaps executed) or 503 (busy: certainly not) to everything, and count",
    "beyond_floor": f"attempts per order without the {MIN_RETRIES_PER_S * TTL_S:.0f} retries that "
    f"the budget grants in any {TTL_S:g} s, however few orders there are",
}


def parts(quick: bool) -> list[Part]:
    """Return one part per kind of failure: the eras and the naive layers take turns."""
    if quick:
        return [_part("failing", 1, QUICK_LOAD_S)]
    return [_part(kind, ROUNDS, LOAD_S) for kind in KINDS]


def _part(kind: str, rounds: int, load_s: float) -> Part:
    cost_s = START_S + load_s

    def run(step: Step) -> list[Figure]:
        in_eras: dict[str, list[Amplified]] = {era: [] for era in ERAS}
        naive = []
        for number in range(1, rounds + 1):
            for era in ERAS:
                one = in_era(era, KINDS[kind], load_s)
                in_eras[era].append(one)
                step(f"{kind}, round {number}: era {era} {one.per_order:.2f} per order", cost_s)
            naive.append(in_naive_layers(KINDS[kind]))
            step(f"{kind}, round {number}: naive {naive[-1].per_order:.2f} per order", START_S)
        return figures(kind, in_eras, naive)

    return Part(names(kind), (cost_s * len(ERAS) + START_S) * rounds, run)


def names(kind: str) -> tuple[str, ...]:
    """Return the names of the figures that one kind of failure yields."""
    return tuple(
        f"stack/amplification/{kind}/era-{era}/{label}"
        for era in ERAS
        for label in ("attempts", "beyond-floor")
    )


def figures(
    kind: str, in_eras: Mapping[str, Sequence[Amplified]], naive: Sequence[Amplified]
) -> list[Figure]:
    """Return the figures of one kind of failure from what each round counted."""
    naive_attempts = [one.per_order for one in naive]
    found = []
    for era, rounds in in_eras.items():
        name = f"stack/amplification/{kind}/era-{era}"
        attempts = [one.per_order for one in rounds]
        beyond = [one.beyond_floor for one in rounds]
        said = "three naive layers of four tries"
        found += [
            compare(f"{name}/attempts", "per order", attempts, naive_attempts, said),
            alone(f"{name}/beyond-floor", "per order", beyond, BEYOND_FLOOR),
        ]
    return found
