"""What a ladder diagram shows: the events of a trace as rows, one a frame or a remark, in order.

Pure, as is their drawing (`lab.drawing`). Orders has the first lane, whoever it talks to the
others. What is left out of a long trace is counted, never silently dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lab.label import Label
from lab.trace import FRAME_EVENTS, Event

LANES = ("orders", "inventory")
MOST_ROWS = 44  # what a reader follows; `eras trace --all` shows everything
COPY = "a copy"
SHORT_RUN = 2  # so many packets take no more room than the line that says they are left out


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


def lanes_of(
    events: Iterable[Event], instances: Sequence[str], since: float | None = None
) -> tuple[str, ...]:
    """Orders, the instances of inventory, and whoever else a frame came from or went to."""
    known = [LANES[0], *instances]
    frames = [e for e in events if e.what == "send" and (since is None or e.t >= since)]
    others = {end for frame in frames for end in (frame.source, frame.target)} - set(known)
    return (*known, *sorted(others))


def rows(
    events: Iterable[Event],
    label: Label,
    lanes: Sequence[str] = LANES,
    since: float | None = None,
) -> list[Row]:
    """The events of a trace as rows, in order of time, counted from `since` or the first of them.

    Who has no lane speaks in that of orders. Labels remember: frames before `since` are told too.
    """
    made: list[Row] = []
    places: dict[tuple[str, str, int | str], int] = {}  # of the frames, among the rows
    begin = since
    for event in events:
        begin = event.t if begin is None else begin
        at = event.t - begin
        text = label(event) if event.what == "send" else ""
        if at < 0:
            continue
        if event.what not in FRAME_EVENTS:
            made.append(_remark(event, at, lanes))
            continue
        frame = (event.source, event.target, event.id)
        if event.what == "send":
            places[frame] = len(made)
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


def _remark(event: Event, at: float, lanes: Sequence[str]) -> Row:
    lane = event.process if event.process in lanes else lanes[0]
    # Of several on the right the name is told: their remarks all stand left of the first of them.
    named = lane != event.process or (lane != lanes[0] and len(lanes) > len(LANES))
    match event.what, event.source, event.target:
        case "call", "customer", _:
            text = f"a customer asks: {event.note}"
        case "call", _, target if len(lanes) > len(LANES):
            text = f"{event.note} → {target}"  # what may be cut is what the arrow tells as well
        case "call", _, target:
            text = f"asks {target}: {event.note}"
        case "answer", _, "customer":
            text = f"tells the customer: {event.note}"
        case "answer", source, _:
            text = f"hears from {source}: {event.note}"
        case _:
            text = f"{event.process}: {event.note}" if named else event.note
    return Row(at, lane, "", text, event.what)


def elide(all_rows: Sequence[Row], most: int = MOST_ROWS) -> list[Row]:
    """At most about `most` rows: the beginning, the end, and in between what the services said,
    unless even that is more.
    """
    if len(all_rows) <= most:
        return list(all_rows)
    head, tail = most * 2 // 3, most // 3
    first, middle = list(all_rows[:head]), all_rows[head : len(all_rows) - tail]
    last = list(all_rows[len(all_rows) - tail :])
    if sum(not row.target for row in middle) > most:
        return [*first, _counted(middle), *last]
    shown, left_out = first, list[Row]()
    for row in middle:
        if row.target:
            left_out.append(row)
            continue
        shown += [*_run(left_out), row]
        left_out = []
    return shown + _run(left_out) + last


def _run(left_out: Sequence[Row]) -> list[Row]:
    """A run of packets between two remarks: one row that counts them, if they are many."""
    return list(left_out) if len(left_out) <= SHORT_RUN else [_counted(left_out)]


def _counted(left_out: Sequence[Row]) -> Row:
    remarks = sum(not row.target for row in left_out)
    packets = len(left_out) - remarks
    there = sum(row.source == LANES[0] for row in left_out if row.target)
    directions = f"{there} →, {packets - there} ←"
    names = {"drop": "lost", "duplicate": "doubled", "corrupt": "corrupted", "reorder": "late"}
    fates = Counter(names[row.what] for row in left_out if row.what in names)
    hurt = "".join(f", {count} {name}" for name, count in fates.items())
    said = f", {remarks} remarks" if remarks else ""
    text = f"… {packets} more packets ({directions}{hurt}){said} …"
    return Row(left_out[0].at, LANES[0], "", text, "elided")
