"""Goodput over loss × round trip × rate: era 1 against the kernel's TCP and aioquic.

All take turns on each seed. The physical limit of a 10 Mbit/s link is what the wire really let
through: rate × (1 − realised loss) × the share of a full frame that is payload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.measure.carried import Carried, carry
from lab.measure.figure import Figure, Target, compare
from lab.measure.spread import median
from lab.measure.turns import Part, Step
from lab.wire import Knobs

CONTESTANTS = ("ours", "cubic", "bbr", "aioquic")
PEERS = CONTESTANTS[1:]
KERNELS = ("cubic", "bbr")
LOSSES = (0.0, 0.01, 0.05, 0.1, 0.2)
ROUND_TRIPS_S = (0.001, 0.02, 0.1)
RATES_BPS = (10e6, 0.0)
SEEDS = (1, 2, 3, 4, 5)

# The ramp to full speed counts, and so does what waits behind a hole at the end: a look of a
# hundred round trips, or a second at least, keeps both small.
WINDOW_S = {0.001: 1.2, 0.02: 2.0, 0.1: 10.0}
UNLIMITED_WINDOW_S = {0.001: 1.2, 0.02: 2.0, 0.1: 4.0}  # seconds of a gigabit say enough
QUICK_WINDOW_S = 0.8
SET_UP_S = 0.4  # hosts, wire, two interpreters: only for the estimate of the time left


@dataclass(frozen=True)
class Cell:
    rate_bps: float
    round_trip_s: float
    loss: float

    @property
    def name(self) -> str:
        rate = f"{self.rate_bps / 1e6:.0f}Mbit" if self.rate_bps else "unlimited"
        return f"{rate}/{self.round_trip_s * 1000:.0f}ms/{self.loss * 100:.0f}%"

    @property
    def knobs(self) -> Knobs:
        return Knobs(
            loss=self.loss,
            delay_s=self.round_trip_s / 2,
            rate_bps=self.rate_bps,
            queue_bytes=queue_bytes(self.rate_bps, self.round_trip_s),
        )


def queue_bytes(rate_bps: float, round_trip_s: float) -> int:
    """Return the bottleneck's buffer: one bandwidth-delay product, but at least 50 kB; 0: none."""
    return max(50_000, int(rate_bps * round_trip_s / 8)) if rate_bps else 0


def cells(quick: bool) -> list[Cell]:
    if quick:
        return [Cell(10e6, 0.02, 0.01), Cell(0.0, 0.02, 0.01)]
    return [
        Cell(rate_bps, round_trip_s, loss)
        for rate_bps in RATES_BPS
        for round_trip_s in ROUND_TRIPS_S
        for loss in LOSSES
    ]


def parts(quick: bool) -> list[Part]:
    """Return one part per cell of the grid."""
    if quick:
        return [_part(cell, SEEDS[:1], QUICK_WINDOW_S) for cell in cells(quick)]
    return [_part(cell, SEEDS, window_s(cell)) for cell in cells(quick)]


def window_s(cell: Cell) -> float:
    """Return how long each contestant is watched in this cell."""
    return (WINDOW_S if cell.rate_bps else UNLIMITED_WINDOW_S)[cell.round_trip_s]


def _part(cell: Cell, seeds: Sequence[int], window_s: float) -> Part:
    cost_s = window_s + cell.round_trip_s * 3 + SET_UP_S

    def run(step: Step) -> list[Figure]:
        rounds: dict[str, list[Carried]] = {name: [] for name in CONTESTANTS}
        for seed in seeds:
            for name in CONTESTANTS:
                carried = carry(name, cell.knobs, seed, window_s)
                rounds[name].append(carried)
                step(f"{cell.name} seed {seed}: {name} {carried.goodput_mbit:.2f} Mbit/s", cost_s)
        return figures(cell, rounds)

    return Part(names(cell), cost_s * len(seeds) * len(CONTESTANTS), run)


def names(cell: Cell) -> tuple[str, ...]:
    """Return the names of the figures that `cell` yields."""
    goodput = f"transport/goodput/{cell.name}"
    cpu = tuple(f"transport/cpu/{cell.name}/{peer}" for peer in PEERS)
    beside = tuple(f"{goodput}/{peer}" for peer in (*PEERS, "best-kernel"))
    return (*beside, *((f"{goodput}/limit",) if cell.rate_bps else ()), *cpu)


def figures(cell: Cell, rounds: Mapping[str, Sequence[Carried]]) -> list[Figure]:
    """Return the figures of one cell from what each contestant carried in each round."""
    goodput = {name: [carried.goodput_mbit for carried in rounds[name]] for name in CONTESTANTS}
    best = max(KERNELS, key=lambda kernel: median(goodput[kernel]))
    name = f"transport/goodput/{cell.name}"
    found = [
        compare(f"{name}/{peer}", "Mbit/s", goodput["ours"], goodput[peer], peer) for peer in PEERS
    ]
    found.append(
        compare(
            f"{name}/best-kernel",
            "Mbit/s",
            goodput["ours"],
            goodput[best],
            best,
            target=_target(cell),
        )
    )
    if cell.rate_bps:
        found.append(_beside_the_limit(cell, rounds))
    return found + [_cpu(cell, rounds, peer) for peer in PEERS]


def _beside_the_limit(cell: Cell, rounds: Mapping[str, Sequence[Carried]]) -> Figure:
    limits = [carried.limit_mbit(cell.rate_bps) for carried in rounds["ours"]]
    shares = ", ".join(
        f"{name} {median(_shares(rounds[name], cell.rate_bps)):.3f}" for name in CONTESTANTS
    )
    return compare(
        f"transport/goodput/{cell.name}/limit",
        "Mbit/s",
        [carried.goodput_mbit for carried in rounds["ours"]],
        limits,
        "physical limit",
        target=Target("ratio", at_least=0.92 if cell.round_trip_s >= 0.1 else 0.97),
        note="limit: rate × (1 − realised loss) × payload share of a frame; "
        f"each as a share of its own: {shares}",
    )


def _shares(carried: Sequence[Carried], rate_bps: float) -> list[float]:
    return [one.goodput_mbit / one.limit_mbit(rate_bps) for one in carried]


def _cpu(cell: Cell, rounds: Mapping[str, Sequence[Carried]], peer: str) -> Figure:
    return compare(
        f"transport/cpu/{cell.name}/{peer}",
        "CPU s/MB",
        [carried.cpu_s_per_mb for carried in rounds["ours"]],
        [carried.cpu_s_per_mb for carried in rounds[peer]],
        peer,
        note="both ends' processes; what the kernel does on arrival is billed to the wire's",
    )


def _target(cell: Cell) -> Target | None:
    if cell.rate_bps:
        return Target("ratio", at_least=0.98)
    if not cell.loss:
        return Target("ratio", at_least=0.4)
    return Target("ratio", at_least=1.0) if cell.round_trip_s >= 0.02 else None
