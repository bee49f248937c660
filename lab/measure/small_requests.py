"""200 bytes out, 300 back, one after another: what one lost packet costs a waiting customer.

A stream has later packets that reveal a hole; a lone request has none, so its sender must decide
by the clock. Here the retransmission timeout and the tail-loss probe are everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.measure.figure import Figure, Target, compare_percentile
from lab.measure.trial import Flow, play, requests
from lab.measure.turns import Part, Step
from lab.wire import Knobs

CONTESTANTS = ("ours", "cubic", "enet", "aioquic")
PEERS = CONTESTANTS[1:]
KERNEL = "cubic"
LOSSES = (0.01, 0.05)
ROUND_TRIPS_S = (0.001, 0.02)
SEEDS = (1, 2, 3, 4, 5)
REQUESTS = {0.001: 400, 0.02: 200}
QUICK_REQUESTS = 25
DEADLINE_S = 30.0
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

# From the issue: the kernel waits at least 200 ms (its minimum RTO), which nobody should need.
TARGETS = {
    ("p99", KERNEL): Target("ratio", at_most=0.25),
    ("p99", "enet"): Target("ratio", at_most=1.0),
    ("p50", KERNEL): Target("ratio", at_most=1.1),
    ("p90", KERNEL): Target("ratio", at_most=1.1),
}


def parts(quick: bool) -> list[Part]:
    """Return one part per cell of loss × round trip."""
    if quick:
        return [_part(0.02, 0.05, QUICK_REQUESTS, SEEDS[:1])]
    return [
        _part(round_trip_s, loss, REQUESTS[round_trip_s], SEEDS)
        for round_trip_s in ROUND_TRIPS_S
        for loss in LOSSES
    ]


def _part(round_trip_s: float, loss: float, count: int, seeds: Sequence[int]) -> Part:
    cell = f"{round_trip_s * 1000:.0f}ms/{loss * 100:.0f}%"
    knobs = Knobs(loss=loss, delay_s=round_trip_s / 2)
    # About two packets a request, and a loss costs the slowest contestant 0.2 s or more.
    cost_s = count * (round_trip_s * 1.2 + 2 * loss * 0.05) + 0.5

    def run(step: Step) -> list[Figure]:
        took_s: dict[str, list[list[float]]] = {name: [] for name in CONTESTANTS}
        for seed in seeds:
            for name in CONTESTANTS:
                outcome = play(requests(count, DEADLINE_S), [Flow(name)], knobs, seed)
                samples = outcome.active[0]["took_s"]
                took_s[name].append(samples)
                step(f"requests {cell} seed {seed}: {name} {len(samples)} answered", cost_s)
        return figures(cell, took_s, count)

    return Part(names(cell), cost_s * len(seeds) * len(CONTESTANTS), run)


def names(cell: str) -> tuple[str, ...]:
    """Return the names of the figures that `cell` yields."""
    return tuple(f"transport/requests/{cell}/{p}/{peer}" for peer in PEERS for p in PERCENTILES)


def figures(cell: str, took_s: Mapping[str, Sequence[Sequence[float]]], count: int) -> list[Figure]:
    """Return percentiles in milliseconds beside each peer, from every round's durations."""
    took_ms = {
        name: [[one * 1000 for one in samples] for samples in rounds]
        for name, rounds in took_s.items()
    }
    answered = {name: sum(map(len, rounds)) for name, rounds in took_s.items()}
    asked = count * len(took_s["ours"])
    return [
        compare_percentile(
            f"transport/requests/{cell}/{label}/{peer}",
            "ms",
            fraction,
            took_ms["ours"],
            took_ms[peer],
            peer,
            target=TARGETS.get((label, peer)),
            note=f"answered of {asked}: ours {answered['ours']}, {peer} {answered[peer]}",
        )
        for peer in PEERS
        for label, fraction in PERCENTILES.items()
    ]
