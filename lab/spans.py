"""One order's trace: what belongs to it, hop by hop and attempt by attempt, as W3C's ids say it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.trace import Event

SHORT = 8  # letters of an id


def spans(events: Sequence[Event], order: str) -> str:
    """The last trace in which this order was reserved. Raises ValueError if there is none."""
    calls = [each for each in events if each.what == "call" and each.trace and each.id == order]
    if not calls:
        raise ValueError(f"no trace names {order!r}: nobody has asked, or a proxy that writes none")
    trace, parent = calls[-1].trace, calls[-1].parent
    ends = {each.span: each for each in events if each.what == "answer" and each.trace == trace}
    lines = [f"trace {trace}", f"span {parent[:SHORT]}  a customer asks orders"]
    for call in calls:
        if call.trace == trace:
            lines.append(f"     {call.span[:SHORT]}  {_told(call, ends.get(call.span))}")
    return "\n".join(lines)


def _told(call: Event, end: Event | None) -> str:
    asked = f"orders asks {call.target}"
    if end is None:
        return f"{asked}: under way"
    said = end.note.removeprefix(f"{end.source}: ")
    return f"{asked}: {said} after {1000 * (end.t - call.t):.1f} ms"
