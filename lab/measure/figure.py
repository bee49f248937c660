"""One figure: a number of ours beside a peer's, asked for by name.

The ratio is ours / peer of the two medians; `ratio_min` and `ratio_max` are the extremes over
the rounds, in each of which both sides met the same seed one after the other. (The ratio of the
medians always lies between those extremes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.measure.spread import median, percentile


@dataclass(frozen=True)
class Target:
    """What a figure is meant to reach: bounds on its field `of` ("ratio" or "ours")."""

    of: str
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, figure: Figure) -> bool:
        value = figure.ratio if self.of == "ratio" else figure.ours
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True)
class Figure:
    """A measured value in `unit` ("1": a pure number).

    `None` stands where a side never finished or there is no peer.
    """

    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None
    runs: int = 1
    ours_runs: tuple[float, ...] = ()
    peer_runs: tuple[float, ...] = ()
    target: Target | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the figure as a JSON object, rounded to four significant digits."""
        fields = {key: _rounded(value) for key, value in asdict(self).items()}
        if self.target:
            fields["met"] = self.target.is_met(self)
        return fields


def compare(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    target: Target | None = None,
    note: str = "",
) -> Figure:
    """Compare two sides, one value per round and in the same order of rounds.

    Raises ValueError if the sides have different numbers of rounds, or none.
    """
    rounds = [_divide(a, b) for a, b in zip(ours, peer, strict=True)]
    middle_ours, middle_peer = median(ours), median(peer)
    ratio = _divide(middle_ours, middle_peer)
    low, high = _extremes(rounds)
    runs = (tuple(ours), tuple(peer))
    return Figure(
        name,
        unit,
        middle_ours,
        middle_peer,
        peer_name,
        ratio,
        low,
        high,
        len(ours),
        *runs,
        target=target,
        note=note,
    )


def compare_percentile(
    name: str,
    unit: str,
    fraction: float,
    ours: Sequence[Sequence[float]],
    peer: Sequence[Sequence[float]],
    peer_name: str,
    target: Target | None = None,
    note: str = "",
) -> Figure:
    """Compare a percentile of many samples per round.

    The percentile is taken over the samples of all rounds together (one round has too few for a
    p99), its spread over the rounds' own percentiles.
    """
    ours_runs = [percentile(samples, fraction) for samples in ours if samples]
    peer_runs = [percentile(samples, fraction) for samples in peer if samples]
    all_ours = [sample for samples in ours for sample in samples]
    all_peer = [sample for samples in peer for sample in samples]
    value = percentile(all_ours, fraction) if all_ours else None
    beside = percentile(all_peer, fraction) if all_peer else None
    both = [(a, b) for a, b in zip(ours, peer, strict=True) if a and b]
    low, high = _extremes(
        [_divide(percentile(a, fraction), percentile(b, fraction)) for a, b in both]
    )
    runs = (tuple(ours_runs), tuple(peer_runs))
    return Figure(
        name,
        unit,
        value,
        beside,
        peer_name,
        _divide(value, beside),
        low,
        high,
        len(ours),
        *runs,
        target=target,
        note=note,
    )


def alone(
    name: str, unit: str, values: Sequence[float], target: Target | None = None, note: str = ""
) -> Figure:
    """Return a figure without a peer: the median of `values` and the values themselves."""
    middle = median(values)
    return Figure(
        name, unit, middle, runs=len(values), ours_runs=tuple(values), target=target, note=note
    )


def total(
    name: str, unit: str, counts: Sequence[int], target: Target | None = None, note: str = ""
) -> Figure:
    """Return a figure of what may not happen even once: the sum of `counts`, not their median."""
    runs = tuple(map(float, counts))
    return Figure(name, unit, sum(runs), runs=len(runs), ours_runs=runs, target=target, note=note)


def _divide(ours: float | None, peer: float | None) -> float | None:
    return ours / peer if ours is not None and peer else None


def _extremes(ratios: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [ratio for ratio in ratios if ratio is not None]
    return (min(known), max(known)) if known else (None, None)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return value
