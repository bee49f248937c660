"""How long frames waited for the slow link, read off the wire's own trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.wire import Knobs


def waits_s(trace: Path, knobs: Knobs, from_s: float) -> tuple[float, ...]:
    """Return how long each delivered frame of the way there waited in the queue, in seconds.

    Frames sent less than `from_s` after the first one are left out: the queue while flows ramp up
    is not the one that stands.
    """
    with trace.open() as lines:
        return tuple(waits_of((json.loads(line) for line in lines), knobs, from_s))


def waits_of(events: Iterable[dict[str, Any]], knobs: Knobs, from_s: float) -> Iterator[float]:
    """Yield what `waits_s` returns: from sent to delivered, less delay and the frame's own length.

    Never below zero, though the wire may deliver a little late and so the wait seem a little long.
    """
    sent: dict[int, tuple[float, float]] = {}
    first: float | None = None
    for event in events:
        if event["from"] != "orders":
            continue
        if event["what"] == "send":
            first = event["t"] if first is None else first
            on_link_s = event["size"] * 8 / knobs.rate_bps
            sent[event["id"]] = (event["t"], on_link_s)
        elif event["what"] == "deliver" and event["id"] in sent:
            began, on_link_s = sent.pop(event["id"])
            if first is not None and began >= first + from_s:
                yield max(0.0, event["t"] - began - on_link_s - knobs.delay_s)
