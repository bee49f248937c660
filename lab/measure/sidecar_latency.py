"""What a proxy adds to a request's time when it is not at its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.measure import CannotMeasure, paced
from lab.measure.figure import Figure, Target, compare
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import EQUAL, OURS, SAID, Sides
from lab.measure.spread import median, percentile
from lab.measure.turns import Part, Step

RATE_PER_S, CONNECTIONS = 1000.0, 16
ROUNDS, ROUND_S = 5, 4.0
BLOCK_S = 0.5  # short, as a busy moment of the machine must not be one contestant's alone
START_S = 3.0
NONE = "none"
WHO = (NONE, OURS, EQUAL)
PERCENTILES = {"p50": 0.5, "p99": 0.99}
TARGETS = {"p50": Target("ratio", at_most=0.6), "p99": Target("ratio", at_most=1.0)}
PATHS = ("outbound", "inbound")
CONDITIONS = {
    "latency": f"{RATE_PER_S:g} requests a second at even intervals over {CONNECTIONS} kept "
    "connections, timed from when each was due; that of no proxy, in the same round, is taken off",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for each path."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, ROUND_S)
    return [_part(path, rounds, seconds) for path in PATHS]


def names(path: str) -> tuple[str, ...]:
    """Return the names of the figures of one path."""
    return tuple(f"sidecar/latency/{path}/added-{label}/{EQUAL}" for label in PERCENTILES)


def _part(path: str, rounds: int, seconds: float) -> Part:
    def run(step: Step) -> list[Figure]:
        with Sides() as sides:
            sides.upstream()
            stand = {name: sides.start(name, path) for name in WHO}
            step(f"latency {path}: contestants stand", START_S)
            turn(stand, 0.5)  # a warm-up
            rounds_s: dict[str, list[list[float]]] = {name: [] for name in WHO}
            for number in range(1, rounds + 1):
                for name, took_s in turn(stand, seconds).items():
                    rounds_s[name].append(took_s)
                step(f"latency {path}, round {number}", len(WHO) * seconds)
        return figures(path, rounds_s)

    return Part(names(path), START_S + rounds * len(WHO) * seconds, run)


def turn(sides: Mapping[str, Side], seconds: float) -> dict[str, list[float]]:
    """Ask each for so long, in short blocks in turn; return the seconds of every answer.

    Raises CannotMeasure.
    """
    took_s: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(round(seconds / BLOCK_S)):
        for name, side in sides.items():
            took_s[name] += paced.ask(side.url, side.headers, RATE_PER_S, CONNECTIONS, BLOCK_S)
    return took_s


def figures(path: str, rounds_s: Mapping[str, Sequence[Sequence[float]]]) -> list[Figure]:
    """Return the figures of one path from each contestant's rounds.

    Raises CannotMeasure if the machine was so busy that a proxy seems to have saved time.
    """
    for share in PERCENTILES.values():
        if median(added_us(rounds_s[EQUAL], rounds_s[NONE], share)) <= 0:
            raise CannotMeasure("asked without a proxy it took longer: the machine is too busy")
    return [
        compare(
            f"sidecar/latency/{path}/added-{label}/{EQUAL}",
            "µs",
            added_us(rounds_s[OURS], rounds_s[NONE], share),
            added_us(rounds_s[EQUAL], rounds_s[NONE], share),
            SAID[EQUAL],
            target=TARGETS[label],
        )
        for label, share in PERCENTILES.items()
    ]


def added_us(
    side: Sequence[Sequence[float]], without: Sequence[Sequence[float]], share: float
) -> list[float]:
    """Round by round, by how much the percentile exceeds that without a proxy."""
    return [
        1e6 * (percentile(with_it, share) - percentile(bare, share))
        for with_it, bare in zip(side, without, strict=True)
    ]
