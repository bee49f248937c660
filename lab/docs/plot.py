"""A measured figure over a few conditions, as inline SVG: medians, min-max bands, and a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lab.docs import DocsError, svg
from lab.docs.figures import Measurement, number

WIDTH, HEIGHT = 640, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 104, 16, 44
LABEL_GAP = 15
LINES = 6  # as many as the style sheet has colours and dashes for


@dataclass(frozen=True)
class Point:
    """One condition: the median, the extremes and the number of runs."""

    x: str
    middle: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Plot:
    """What to draw. `ticks` are the conditions in their order, spaced evenly."""

    title: str
    x_label: str
    y_label: str
    ticks: tuple[str, ...]
    series: tuple[Series, ...]
    is_log: bool = False
    note: str = ""


def collect(
    measurement: Measurement,
    pattern: str,
    ticks: Sequence[str],
    peers: Sequence[str],
    ours: str = "era 1",
) -> tuple[Series, ...]:
    """One series for ours and one per peer, from the figures that `pattern` names.

    `ours` is what ours is called in the plot; `pattern` has `{x}` and `{peer}`. In a quick
    measurement conditions may be missing; otherwise a missing one raises DocsError.
    """
    if "{x}" not in pattern or "{peer}" not in pattern:
        raise DocsError(f"figures: {pattern!r}; accepted: a name with {{x}} and {{peer}} in it")
    series = []
    for side, name, peer in [("ours", ours, peers[0]), *(("peer", p, p) for p in peers)]:
        points = []
        for tick in ticks:
            wanted = pattern.format(x=tick, peer=peer)
            if measurement.is_left_out(wanted):
                continue
            figure = measurement.figure(wanted)
            runs = figure.get(f"{side}_runs") or [figure[side]]
            if figure[side] is not None:
                points.append(Point(tick, figure[side], min(runs), max(runs), len(runs)))
        series.append(Series(name, tuple(points)))
    if not any(one.points for one in series):
        raise DocsError(f"{measurement.name} has no figure like {pattern!r}")
    return tuple(series)


def draw(plot: Plot) -> str:
    """The plot as an HTML figure: caption, picture, table."""
    scale = _Scale(plot)
    drawn = [_grid(plot, scale)]
    for place, series in enumerate(plot.series[:LINES]):
        drawn.append(svg.element("g", {"class": f"line-{place + 1}"}, _line(series, scale)))
    drawn.append(_names(plot, scale))
    label = f"{plot.title}. The numbers are in the table below."
    picture = svg.image(WIDTH, HEIGHT, label, "".join(drawn), "plot")
    note = f'<p class="note">{escape(plot.note)}</p>' if plot.note else ""
    return (
        f'<figure class="measured"><figcaption>{escape(plot.title)}</figcaption>'
        f'<div class="wide">{picture}</div>{note}{_table(plot)}</figure>'
    )


class _Scale:
    """From conditions and values to places in the picture."""

    def __init__(self, plot: Plot) -> None:
        points = [point for series in plot.series for point in series.points]
        self._ticks = plot.ticks
        self._is_log = plot.is_log
        high = max(point.high for point in points)
        positive = [point.low for point in points if point.low > 0]
        self._low = 10.0 ** math.floor(math.log10(min(positive))) if plot.is_log else 0.0
        self._high = 10.0 ** math.ceil(math.log10(high)) if plot.is_log else high * 1.06

    def x(self, tick: str) -> float:
        steps = max(len(self._ticks) - 1, 1)
        place = self._ticks.index(tick) / steps if len(self._ticks) > 1 else 0.5
        return LEFT + place * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        if self._is_log:
            value = max(value, self._low)
            share = math.log(value / self._low) / math.log(self._high / self._low)
        else:
            share = value / self._high
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    def lines(self) -> list[float]:
        if self._is_log:
            first, last = round(math.log10(self._low)), round(math.log10(self._high))
            return [10.0**power for power in range(first, last + 1)]
        step = next(
            size * 10.0**power
            for power in range(-6, 12)
            for size in (1, 2, 5)
            if self._high / (size * 10.0**power) <= 6
        )
        return [step * count for count in range(int(self._high / step) + 1)]


def _grid(plot: Plot, scale: _Scale) -> str:
    drawn = []
    for value in scale.lines():
        y = scale.y(value)
        drawn.append(svg.path(f"M{LEFT} {y}H{WIDTH - RIGHT}", "grid"))
        drawn.append(svg.text(LEFT - 7, y + 4, number(value), "end"))
    for tick in plot.ticks:
        drawn.append(svg.text(scale.x(tick), HEIGHT - BOTTOM + 18, tick))
    drawn.append(svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, plot.x_label, css="axis"))
    turned = f"translate(13 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)"
    drawn.append(svg.element("g", {"transform": turned}, svg.text(0, 0, plot.y_label, css="axis")))
    return "".join(drawn)


def _line(series: Series, scale: _Scale) -> str:
    if not series.points:
        return ""
    there = [f"{scale.x(point.x):.1f} {scale.y(point.high)}" for point in series.points]
    back = [f"{scale.x(point.x):.1f} {scale.y(point.low)}" for point in reversed(series.points)]
    middle = [f"{scale.x(point.x):.1f} {scale.y(point.middle)}" for point in series.points]
    dots = "".join(
        svg.element("circle", {"cx": f"{scale.x(p.x):.1f}", "cy": scale.y(p.middle), "r": 3})
        for p in series.points
    )
    band = svg.path(f"M{'L'.join(there + back)}Z", "band")
    return band + svg.path(f"M{'L'.join(middle)}", "middle") + dots


def _names(plot: Plot, scale: _Scale) -> str:
    """The names at the right ends of the lines, pushed apart where they would overlap."""
    ends = [
        (scale.y(series.points[-1].middle), place, series.name)
        for place, series in enumerate(plot.series)
        if series.points
    ]
    drawn, free = [], 0.0
    for y, place, name in sorted(ends):
        free = max(free + LABEL_GAP, y + 4)
        words = svg.text(WIDTH - RIGHT + 12, free, name, "start", "name")
        drawn.append(svg.element("g", {"class": f"line-{place + 1}"}, words))
    return "".join(drawn)


def _table(plot: Plot) -> str:
    head = "".join(f"<th>{escape(tick)}</th>" for tick in plot.ticks)
    rows = []
    for series in plot.series:
        points = {point.x: point for point in series.points}
        cells = "".join(_cell(points.get(tick)) for tick in plot.ticks)
        rows.append(f"<tr><th>{escape(series.name)}</th>{cells}</tr>")
    return (
        f"<details><summary>The numbers: {escape(plot.y_label)}, median (least to most)</summary>"
        f"<table><thead><tr><th>{escape(plot.x_label)}</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


def _cell(point: Point | None) -> str:
    if point is None:
        return "<td>not measured</td>"
    spread = f" ({number(point.low)} to {number(point.high)})" if point.runs > 1 else ""
    return f"<td>{number(point.middle)}{spread}</td>"
