"""A ladder diagram of a trace, for a terminal: two services, time downwards, a frame an arrow.

      sent  orders                                          inventory   arrived
       0.4  ┠─ reserve o-1 sku-0001 2 ─────────────────────────────▶┃      10.5
      10.9  ┃                       reserve o-1 sku-0001 2: reserved ┃
      11.2  ┃                    lost ✗───────────────── reserved ─┨

Events become rows (`rows`), rows become lines of text with a style (`draw`): both are pure. What
is left out of a long trace is counted, never silently dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lab.label import Label
from lab.trace import FRAME_EVENTS, Event

LANES = ("orders", "inventory")
TIME = 8  # columns for a time in milliseconds, on either side
NARROWEST = 60
MOST_ROWS = 44  # what a reader follows; `eras trace --all` shows everything
ASCII = str.maketrans("┃┠┨─▶◀✗…→←", "|||-><X~><")  # for terminals without UTF-8
COPY = "a copy"
SHORT_RUN = 2  # so many packets take no more room than the line that says they are left out

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


@dataclass(frozen=True)
class Row:
    """One line of the ladder. Times in seconds; `arrived_at` None: it never arrived.

    target is "" for a remark of one service (`what` is then call, answer, note or elided).
    """

    at: float
    source: str
    target: str
    text: str
    what: str
    arrived_at: float | None = None
    fate: str = ""  # what the wire did to it, in words


def rows(events: Iterable[Event], label: Label) -> list[Row]:
    """The events of a trace as rows, in order of time, counted from the first of them."""
    made: list[Row] = []
    places: dict[tuple[str, str, int | str], int] = {}  # of the frames, among the rows
    begin: float | None = None
    for event in events:
        begin = event.t if begin is None else begin
        at = event.t - begin
        if event.what not in FRAME_EVENTS:
            made.append(_remark(event, at))
            continue
        frame = (event.source, event.target, event.id)
        if event.what == "send":
            places[frame] = len(made)
            text = label(event)
            made.append(Row(at, event.source, event.target, text, "deliver"))
        elif frame in places:
            _happened(made, places[frame], event, at)
    return made


def _happened(made: list[Row], place: int, event: Event, at: float) -> None:
    row = made[place]
    if event.what != "deliver":
        fate = f"{row.fate}, {event.note}" if row.fate else event.note
        made[place] = replace(row, what=event.what, fate=fate)
    elif row.arrived_at is None:
        made[place] = replace(row, arrived_at=at)
    else:
        made.append(replace(row, at=at, arrived_at=at, fate=COPY))


def _remark(event: Event, at: float) -> Row:
    other = "inventory" if event.process == "inventory" else "orders"
    lane = event.process if event.process in LANES else other
    match event.what, event.source, event.target:
        case "call", "customer", _:
            text = f"a customer asks: {event.note}"
        case "call", _, target:
            text = f"asks {target}: {event.note}"
        case "answer", _, "customer":
            text = f"tells the customer: {event.note}"
        case "answer", source, _:
            text = f"hears from {source}: {event.note}"
        case _:
            text = event.note if event.process in LANES else f"{event.process}: {event.note}"
    return Row(at, lane, "", text, event.what)


def elide(all_rows: Sequence[Row], most: int = MOST_ROWS) -> list[Row]:
    """At most about `most` rows: the beginning, the end, and in between what the services said."""
    if len(all_rows) <= most:
        return list(all_rows)
    head, tail = most * 2 // 3, most // 3
    shown = list(all_rows[:head])
    left_out: list[Row] = []
    for row in all_rows[head : len(all_rows) - tail]:
        if row.target:
            left_out.append(row)
            continue
        shown += [*_run(left_out), row]
        left_out = []
    return shown + _run(left_out) + list(all_rows[len(all_rows) - tail :])


def _run(left_out: Sequence[Row]) -> list[Row]:
    """A run of packets between two remarks: one row that counts them, if they are many."""
    if len(left_out) <= SHORT_RUN:
        return list(left_out)
    there = sum(row.target == LANES[1] for row in left_out)
    directions = f"{there} →, {len(left_out) - there} ←"
    names = {"drop": "lost", "duplicate": "doubled", "corrupt": "corrupted", "reorder": "late"}
    fates = Counter(names[row.what] for row in left_out if row.what in names)
    hurt = "".join(f", {count} {name}" for name, count in fates.items())
    text = f"… {len(left_out)} more packets ({directions}{hurt}) …"
    return [Row(left_out[0].at, LANES[0], "", text, "elided")]


def draw(shown: Sequence[Row], width: int = 80, ascii_only: bool = False) -> list[Line]:
    """The rows as lines of at most `width` columns, each with the style that suits it."""
    wire = max(width, NARROWEST) - 2 * TIME - 6  # columns between the two lanes
    space = " " * max(1, wire - len(LANES[0]) - len(LANES[1]) + 2)
    lines = [(f"{'sent':>{TIME}}  {LANES[0]}{space}{LANES[1]} {'arrived':>{TIME}}", "bold")]
    lines += [(_line(row, wire), STYLES[row.what]) for row in shown]
    lines.append((f"{'(ms)':>{TIME}}", "dim"))
    return [(text.translate(ASCII), style) for text, style in lines] if ascii_only else lines


def _line(row: Row, wire: int) -> str:
    if row.what == "elided":
        return f"{'':>{TIME}}  ┃{row.text:^{wire}}┃"
    left = "" if row.fate == COPY else f"{row.at * 1000:.1f}"  # a copy was never sent
    left = f"{left:>{TIME}}  "
    if not row.target:
        text = shortened(row.text, wire - 2)
        aligned = f" {text:<{wire - 1}}" if row.source == LANES[0] else f"{text:>{wire - 1}} "
        return f"{left}┃{aligned}┃"
    arrived = "" if row.arrived_at is None else f" {row.arrived_at * 1000:{TIME}.1f}"
    pieces = _arrow(row, wire)
    if row.target == LANES[1]:
        return f"{left}┠{''.join(pieces)}┃{arrived}"
    return f"{left}┃{''.join(map(_mirrored, reversed(pieces)))}┨{arrived}"


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
