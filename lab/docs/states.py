"""A state machine's diagram and table, drawn from its literal transition table.

The page says only where each state stands (a grid of names, a dot for an empty place); which arrows
there are, the table in the code says. A state that is in one and not in the other stops the build.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape

from lab.docs import DocsError, svg

CELL_WIDTH, CELL_HEIGHT = 190, 92  # the least
LETTER_WIDTH, HEAD_WIDTH = 7.4, 34  # of an event's name, and of what an arrow needs around it
BOX_WIDTH, BOX_HEIGHT = 122, 30
LOOP_WIDTH, LOOP_DEPTH = 44, 30  # below its box, from a state to itself
ASIDE, ASIDE_UPRIGHT = 9.0, 30.0  # of two arrows there and back: words are wider than high
MARGIN = 14

Place = tuple[int, int]  # column, row
Spot = tuple[float, float]  # in the picture


@dataclass(frozen=True)
class Arrow:
    """From one state to another, by these events."""

    begin: str
    end: str
    events: tuple[str, ...]


def load(reference: str) -> dict[tuple[str, str], str]:
    """The table `package.module:NAME` as names: {(state, event): next state}.

    Raises DocsError if the module has no such table.
    """
    module_name, _, name = reference.partition(":")
    try:
        table = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise DocsError(f"no transition table {reference!r}: {error}") from error
    if not isinstance(table, Mapping):
        raise DocsError(f"{reference} is no table but {type(table).__name__}")
    return {(_name(state), _name(event)): _name(end) for (state, event), end in table.items()}


def arrows(table: Mapping[tuple[str, str], str], omit: Sequence[str] = ()) -> list[Arrow]:
    """The arrows to draw, the events between the same two states together."""
    together: dict[tuple[str, str], list[str]] = {}
    for (state, event), end in table.items():
        if event not in omit:
            together.setdefault((state, end), []).append(event)
    return [Arrow(begin, end, tuple(events)) for (begin, end), events in together.items()]


def places(grid: Sequence[str], states: set[str]) -> dict[str, list[Place]]:
    """Where each state stands, some in several places. Raises DocsError if the two differ."""
    found: dict[str, list[Place]] = {}
    for row, line in enumerate(grid):
        for column, name in enumerate(line.split()):
            if name != ".":
                found.setdefault(name, []).append((column, row))
    if set(found) != states:
        missing, unknown = states - set(found), set(found) - states
        raise DocsError(f"states without a place: {missing or '-'}; unknown: {unknown or '-'}")
    return found


def draw(title: str, grid: Sequence[str], shown: Sequence[Arrow], note: str = "") -> str:
    """The diagram as an HTML figure, with the same as a table."""
    states = {state for arrow in shown for state in (arrow.begin, arrow.end)}
    placed = places(grid, states)
    cell_width = _cell_width(shown, placed)
    spots = {name: [_centre(each, cell_width) for each in placed[name]] for name in placed}
    pairs = {(arrow.begin, arrow.end) for arrow in shown}
    drawn = [
        _loop(arrow, spots)
        if arrow.begin == arrow.end
        else _arrow(arrow, spots, (arrow.end, arrow.begin) in pairs)
        for arrow in shown
    ]
    drawn += [_box(name, *spot) for name in spots for spot in spots[name]]
    taken = [place for name in placed for place in placed[name]]
    width = max(column for column, _ in taken) * cell_width + BOX_WIDTH + 2 * MARGIN
    height = max(row for _, row in taken) * CELL_HEIGHT + BOX_HEIGHT + 2 * MARGIN
    label = f"{title}. The transitions are in the table below."
    picture = svg.image(width, height, label, "".join(drawn), "states")
    rows = "".join(
        f"<tr><td>{_words(a.begin)}</td><td>{', '.join(map(_words, a.events))}</td>"
        f"<td>{_words(a.end)}</td></tr>"
        for a in shown
    )
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption>'
        f'<div class="wide">{picture}</div>'
        + (f'<p class="note">{escape(note)}</p>' if note else "")
        + "<details><summary>The same as a table</summary><table><thead><tr><th>in state</th>"
        f"<th>event</th><th>next</th></tr></thead><tbody>{rows}</tbody></table></details></figure>"
    )


def _cell_width(shown: Sequence[Arrow], placed: Mapping[str, Sequence[Place]]) -> float:
    """Wide enough for the longest name of an event between two neighbours in a row."""
    names = [
        event
        for arrow in shown
        for begin, begin_row in placed[arrow.begin]
        for end, end_row in placed[arrow.end]
        if begin_row == end_row and abs(begin - end) == 1
        for event in arrow.events
    ]
    longest = max(map(len, names), default=0)
    return max(CELL_WIDTH, BOX_WIDTH + HEAD_WIDTH + LETTER_WIDTH * longest)


def _centre(place: Place, cell_width: float) -> Spot:
    column, row = place
    return (
        MARGIN + BOX_WIDTH / 2 + column * cell_width,
        MARGIN + BOX_HEIGHT / 2 + row * CELL_HEIGHT,
    )


def _arrow(arrow: Arrow, spots: Mapping[str, Sequence[Spot]], has_twin: bool) -> str:
    ways = [(a, b) for a in spots[arrow.begin] for b in spots[arrow.end]]
    (x1, y1), (x2, y2) = min(ways, key=lambda way: math.dist(*way))
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    across_x, across_y = -(y2 - y1) / length, (x2 - x1) / length
    apart, share = (ASIDE_UPRIGHT, 0.22) if abs(y2 - y1) > abs(x2 - x1) else (ASIDE, 0.36)
    aside, share = (apart, share) if has_twin else (0.0, 0.5)
    x1, x2 = x1 + aside * across_x, x2 + aside * across_x
    y1, y2 = y1 + aside * across_y, y2 + aside * across_y
    begin_x, begin_y = _edge(x1, y1, x2, y2)
    end_x, end_y = _edge(x2, y2, x1, y1)
    angle = math.degrees(math.atan2(end_y - begin_y, end_x - begin_x))
    head = _head(end_x, end_y, angle)
    line = svg.path(f"M{begin_x:.1f} {begin_y:.1f}L{end_x:.1f} {end_y:.1f}", "arrow")
    middle_x, middle_y = begin_x + (end_x - begin_x) * share, begin_y + (end_y - begin_y) * share
    words = "".join(
        svg.text(middle_x, middle_y + 4 + 13 * (place - (len(arrow.events) - 1) / 2), _words(event))
        for place, event in enumerate(arrow.events)
    )
    return line + head + words


def _loop(arrow: Arrow, spots: Mapping[str, Sequence[Spot]]) -> str:
    """From a state to itself, below its box, where the grid must leave a row free."""
    x, y = spots[arrow.begin][0]
    left, right, top = x - LOOP_WIDTH / 2, x + LOOP_WIDTH / 2, y + BOX_HEIGHT / 2
    low = top + LOOP_DEPTH * 4 / 3  # a curve goes three quarters of the way
    curve = f"C{left:.1f} {low:.1f} {right:.1f} {low:.1f} {right:.1f} {top + 3:.1f}"
    line = svg.path(f"M{left:.1f} {top:.1f}{curve}", "arrow")
    words = ", ".join(map(_words, arrow.events))
    return line + _head(right, top + 3, -90) + svg.text(x, top + LOOP_DEPTH + 14, words)


def _head(x: float, y: float, angle: float) -> str:
    turn = f"translate({x:.1f} {y:.1f}) rotate({angle:.0f})"
    return svg.element("path", {"d": "M0 0L-8 -4V4Z", "class": "head", "transform": turn})


def _edge(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float]:
    """Where the line from the middle of a box at (x1, y1) towards (x2, y2) leaves the box."""
    dx, dy = x2 - x1, y2 - y1
    reach_x = (BOX_WIDTH / 2 + 3) / abs(dx) if dx else math.inf
    reach_y = (BOX_HEIGHT / 2 + 3) / abs(dy) if dy else math.inf
    reach = min(reach_x, reach_y)
    return x1 + dx * reach, y1 + dy * reach


def _box(name: str, x: float, y: float) -> str:
    corner = {"x": x - BOX_WIDTH / 2, "y": y - BOX_HEIGHT / 2}
    size = {"width": BOX_WIDTH, "height": BOX_HEIGHT, "rx": 5, "class": "box"}
    return svg.element("rect", {**corner, **size}) + svg.text(x, y + 4, _words(name))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _name(value: object) -> str:
    return value.name if isinstance(value, Enum) else str(value)
