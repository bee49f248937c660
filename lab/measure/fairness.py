"""Two flows on one loss-free bottleneck: who gets how much, and how long a queue stands.

A transport that ignores congestion wins every other table and ruins its neighbours. So here our
share beside CUBIC is asked for, and beside it BBR's, which is what the kernel itself offers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.measure.figure import Figure, Target, compare
from lab.measure.spread import jain, percentile
from lab.measure.trial import Flow, Outcome, bulk, play
from lab.measure.turns import Part, Step
from lab.wire import Knobs

KNOBS = Knobs(delay_s=0.01, rate_bps=10e6, queue_bytes=50_000)
SEEDS = (1, 2, 3, 4, 5)
HEAD_START_S = 0.5
SETTLE_S = 2.0  # from when the later flow stands: the share is that of a settled pair
WINDOW_S = 8.0
SET_UP_S = 0.4
QUICK_SETTLE_S, QUICK_WINDOW_S = 0.5, 1.1
PAIRS = (("ours", "cubic"), ("bbr", "cubic"), ("ours-udp", "ours-udp"), ("cubic", "cubic"))

Samples = Sequence[Sequence[float]]  # (time, bytes so far), as `Meter` takes them


@dataclass(frozen=True)
class Shared:
    """What two flows made of one link."""

    first_mbit: float
    second_mbit: float
    queued_s: tuple[float, ...]

    @property
    def share(self) -> float:
        """The first flow's part of what both carried, in percent."""
        return 100 * self.first_mbit / (self.first_mbit + self.second_mbit)

    @property
    def jain(self) -> float:
        return jain([self.first_mbit, self.second_mbit])

    def queue_ms(self, label: str) -> float:
        if label == "mean":
            return 1000 * sum(self.queued_s) / len(self.queued_s)
        return 1000 * percentile(self.queued_s, 0.95)


def parts(quick: bool) -> list[Part]:
    """Return the one part: all pairs in turn on each seed."""
    if quick:
        return [_part(SEEDS[:1], QUICK_SETTLE_S, QUICK_WINDOW_S)]
    return [_part(SEEDS, SETTLE_S, WINDOW_S)]


def _part(seeds: Sequence[int], settle_s: float, window_s: float) -> Part:
    cost_s = HEAD_START_S + settle_s + window_s + SET_UP_S

    def run(step: Step) -> list[Figure]:
        rounds: dict[tuple[str, str], list[Shared]] = {pair: [] for pair in PAIRS}
        for seed in seeds:
            for pair in PAIRS:
                shared = share(pair, seed, settle_s, window_s)
                rounds[pair].append(shared)
                step(f"{pair[0]} beside {pair[1]}, seed {seed}: {shared.share:.0f} %", cost_s)
        return figures(rounds)

    return Part(NAMES, cost_s * len(seeds) * len(PAIRS), run)


def share(pair: tuple[str, str], seed: int, settle_s: float, window_s: float) -> Shared:
    """Let two contestants share the link. Every other seed lets the second begin."""
    late = HEAD_START_S if seed % 2 else 0.0
    flows = (Flow(pair[0], HEAD_START_S - late), Flow(pair[1], late))
    task = bulk(HEAD_START_S + settle_s + window_s)
    outcome = play(task, flows, KNOBS, seed, queue_from_s=HEAD_START_S + settle_s)
    return shared(outcome, settle_s)


def shared(outcome: Outcome, settle_s: float) -> Shared:
    """Return what each of two flows carried while both were settled."""
    samples = [report["samples"] for report in outcome.passive]
    begin = max(one[0][0] for one in samples) + settle_s
    end = min(one[-1][0] for one in samples)
    first, second = (mbit_between(one, begin, end) for one in samples)
    return Shared(first, second, outcome.queued_s)


def mbit_between(samples: Samples, begin: float, end: float) -> float:
    """Return the mean rate in Mbit/s from the last samples at or before `begin` and `end`.

    Raises ValueError if the window holds no two samples.
    """
    before = [sample for sample in samples if sample[0] <= begin]
    within = [sample for sample in samples if sample[0] <= end]
    if not before or within[-1][0] <= before[-1][0]:
        raise ValueError(f"no samples from {begin:.2f} to {end:.2f}: the flows did not overlap")
    seconds = within[-1][0] - before[-1][0]
    return (within[-1][1] - before[-1][1]) * 8 / 1e6 / seconds


NAMES = (
    "transport/fairness/beside-cubic/share",
    "transport/fairness/beside-itself/jain",
    *(
        f"transport/queue/{beside}/{label}"
        for beside in ("beside-cubic", "beside-itself")
        for label in ("mean", "p95")
    ),
)


def figures(rounds: Mapping[tuple[str, str], Sequence[Shared]]) -> list[Figure]:
    """Return our figures beside those of a pair of the kernel's in the same role."""
    ours, usual = rounds["ours", "cubic"], rounds["bbr", "cubic"]
    twins, kernel_twins = rounds["ours-udp", "ours-udp"], rounds["cubic", "cubic"]
    return [
        compare(
            NAMES[0],
            "%",
            [one.share for one in ours],
            [one.share for one in usual],
            "BBR beside CUBIC",
            target=Target("ours", at_least=30, at_most=70),
        ),
        compare(
            NAMES[1],
            "1",
            [one.jain for one in twins],
            [one.jain for one in kernel_twins],
            "two CUBIC flows",
            target=Target("ours", at_least=0.95),
        ),
        *_queues("beside-cubic", ours, kernel_twins),
        *_queues("beside-itself", twins, kernel_twins),
    ]


def _queues(name: str, ours: Sequence[Shared], peer: Sequence[Shared]) -> list[Figure]:
    return [
        compare(
            f"transport/queue/{name}/{label}",
            "ms",
            [one.queue_ms(label) for one in ours],
            [one.queue_ms(label) for one in peer],
            "two CUBIC flows",
            note="wait for the slow link; the buffer holds 40 ms",
        )
        for label in ("mean", "p95")
    ]
