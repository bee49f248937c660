"""The queue that one flow alone keeps in front of a slow link: what its neighbours wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.measure.carried import Carried, carry
from lab.measure.fairness import KNOBS, SEEDS
from lab.measure.figure import Figure, compare
from lab.measure.goodput import CONTESTANTS, PEERS
from lab.measure.spread import percentile
from lab.measure.turns import Part, Step

WINDOW_S = 4.0
SETTLE_S = 1.0
SET_UP_S = 0.4
NAMES = tuple(
    f"transport/queue/alone/{label}/{peer}" for peer in PEERS for label in ("mean", "p95")
)


def parts(quick: bool) -> list[Part]:
    """Return the one part, all contestants in turn on each seed; none when it must be quick."""
    if quick:
        return []
    cost_s = WINDOW_S + SET_UP_S

    def run(step: Step) -> list[Figure]:
        rounds: dict[str, list[Carried]] = {name: [] for name in CONTESTANTS}
        for seed in SEEDS:
            for name in CONTESTANTS:
                carried = carry(name, KNOBS, seed, WINDOW_S, queue_from_s=SETTLE_S)
                rounds[name].append(carried)
                step(f"queue of {name}, seed {seed}: {mean_ms(carried):.1f} ms", cost_s)
        return figures(rounds)

    return [Part(NAMES, cost_s * len(SEEDS) * len(CONTESTANTS), run)]


def figures(rounds: Mapping[str, Sequence[Carried]]) -> list[Figure]:
    """Return the mean and the 95th percentile of the wait, beside each peer's."""
    return [
        compare(
            f"transport/queue/alone/{label}/{peer}",
            "ms",
            [wait_ms(one) for one in rounds["ours"]],
            [wait_ms(one) for one in rounds[peer]],
            peer,
            note="wait for a loss-free 10 Mbit/s link of 20 ms; the buffer holds 40 ms",
        )
        for peer in PEERS
        for label, wait_ms in (("mean", mean_ms), ("p95", p95_ms))
    ]


def mean_ms(carried: Carried) -> float:
    return 1000 * sum(carried.queued_s) / len(carried.queued_s)


def p95_ms(carried: Carried) -> float:
    return 1000 * percentile(carried.queued_s, 0.95)
