"""A ladder diagram for a terminal: time downwards, a lane for each service, a frame an arrow.

sent  orders                                          inventory   arrived
 0.4  ┠─ reserve o-1 sku-0001 2 ─────────────────────────────▶┃      10.5
10.9  ┃                       reserve o-1 sku-0001 2: reserved ┃
11.2  ┃                    lost ✗───────────────── reserved ─┨

sent  orders                                inventory-1  -2  -3   arrived
 0.4  ┠─ PUT /reservations/o-1 ──────────────────────╂──▶┃   ┃       10.5
11.2  ┃◀─────────────────────────────── 201 reserved ─╂───┨   ┃       12.0
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.ladder import COPY, LANES, Row

TIME = 8  # columns for a time in milliseconds, on either side
NARROWEST = 60  # for two lanes; each further one adds to it
NEXT_LANE = 4  # columns from a lane to the next, if the name needs no more
ASCII = str.maketrans("┃┠┨╂─▶◀✗…→←", "|||+-><X~><")  # for terminals without UTF-8

STYLES = {  # what happened -> how rich shows it
    "deliver": "cyan",
    "drop": "bold red",
    "duplicate": "yellow",
    "corrupt": "magenta",
    "reorder": "yellow",
    "hold": "yellow",
    "call": "bold",
    "answer": "bold",
    "note": "green",
    "elided": "dim",
}
Line = tuple[str, str]  # the text and its style


def draw(
    shown: Sequence[Row], width: int = 80, ascii_only: bool = False, lanes: Sequence[str] = LANES
) -> list[Line]:
    """The rows as lines of at most `width` columns, each with the style that suits it."""
    names = [lanes[1], *(_short(name, lanes[1]) for name in lanes[2:])]
    gaps = [max(NEXT_LANE, len(name) + 1) for name in names[1:]]
    beyond = sum(gaps)
    # columns between the first two lanes
    wire = max(width, NARROWEST + beyond) - 2 * TIME - 6 - beyond
    space = " " * max(1, wire - len(lanes[0]) - len(lanes[1]) + 2)
    heads = names[0] + "".join(f"{name:>{gap}}" for name, gap in zip(names[1:], gaps, strict=True))
    lines = [(f"{'sent':>{TIME}}  {lanes[0]}{space}{heads} {'arrived':>{TIME}}", "bold")]
    lines += [(_line(row, wire, lanes, gaps), STYLES[row.what]) for row in shown]
    lines.append((f"{'(ms)':>{TIME}}", "dim"))
    return [(text.translate(ASCII), style) for text, style in lines] if ascii_only else lines


def _short(name: str, first: str) -> str:
    """`-2` for inventory-2 beside inventory-1."""
    stem, dash, number = name.rpartition("-")
    return f"-{number}" if dash and stem == first.rpartition("-")[0] else name


def _line(row: Row, wire: int, lanes: Sequence[str], gaps: Sequence[int]) -> str:
    bars = "┃" + "".join(f"{'┃':>{gap}}" for gap in gaps)
    if row.what == "elided":
        return f"{'':>{TIME}}  ┃{shortened(row.text, wire):^{wire}}{bars}"
    left = "" if row.fate == COPY else f"{row.at * 1000:.1f}"  # a copy was never sent
    left = f"{left:>{TIME}}  "
    if not row.target:
        text = shortened(row.text, wire - 2)
        aligned = f" {text:<{wire - 1}}" if row.source == lanes[0] else f"{text:>{wire - 1}} "
        return f"{left}┃{aligned}{bars}"
    arrived = "" if row.arrived_at is None else f" {row.arrived_at * 1000:{TIME}.1f}"
    pieces = _arrow(row, wire)
    if row.source != lanes[0]:
        further = _further(lanes.index(row.source), gaps, "─┨")
        return f"{left}┃{''.join(map(_mirrored, reversed(pieces)))}{further}{arrived}"
    place = lanes.index(row.target)
    if row.arrived_at is None or place == 1:
        return f"{left}┠{''.join(pieces)}{bars}{arrived}"
    return f"{left}┠{''.join(pieces)[:-1]}─{_further(place, gaps, '▶┃')}{arrived}"


def _further(place: int, gaps: Sequence[int], end: str) -> str:
    """The lanes on the right, and the part of an arrow that crosses them to the one at `place`."""
    crossed = ["╂"] if place > 1 else [end[-1]]
    for lane, gap in enumerate(gaps, start=2):
        last = "╂" if lane < place else end[-1] if lane == place else "┃"
        before = end[0] if lane == place else "─"
        crossed.append(f"{before:─>{gap - 1}}{last}" if lane <= place else f"{last:>{gap}}")
    return "".join(crossed)


def _arrow(row: Row, wire: int) -> list[str]:
    """The columns between the lanes in pieces, words and lines, as for an arrow to the right."""
    fate, room = row.fate, wire - len(row.fate)
    if row.arrived_at is not None:
        text = shortened(row.text, room - 10)
        after = [" ", fate, " ──"] if fate else []
        line = wire - len(text) - sum(map(len, after)) - 4
        return ["─ ", text, " ", "─" * line, *after, "▶"]
    text = shortened(row.text, room - 12)
    # Chance kills on the way; a full queue or a cut wire right where the frame would enter.
    longest = room - len(text) - 6
    line = min(longest, max(4, wire * 2 // 3 - len(text)) if fate == "lost" else 4)
    end = ["✗", " ", fate] if fate else ["▶", " ", "…"]
    pieces = ["─ ", text, " ", "─" * line, *end]
    return [*pieces, " " * (wire - sum(map(len, pieces)))]


def _mirrored(piece: str) -> str:
    is_line = not piece.strip("─▶ ")
    return piece[::-1].replace("▶", "◀") if is_line else piece


def shortened(text: str, room: int) -> str:
    """The text, cut to `room` columns, with a sign that it was."""
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"
