"""How long frames waited for the slow link, read off the wire's own trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.wire import Knobs


def waits_s(trace: Path, knobs: Knobs) -> tuple[float, ...]:
    """Return, for each delivered frame of the way there, its wait in the queue in seconds."""
    with trace.open() as lines:
        return tuple(waits_of((json.loads(line) for line in lines), knobs))


def waits_of(events: Iterable[dict[str, Any]], knobs: Knobs) -> Iterator[float]:
    """Yield the waits: from sent to delivered, less the delay and the frame's own time on the link.

    Never below zero, though the wire may deliver a little late and so the wait seem a little long.
    """
    sent: dict[object, tuple[float, float]] = {}
    for event in events:
        if event["from"] != "orders":
            continue
        if event["what"] == "send":
            on_link_s = event["size"] * 8 / knobs.rate_bps
            sent[event["id"]] = (event["t"], on_link_s)
        elif event["what"] == "deliver" and event["id"] in sent:
            began, on_link_s = sent.pop(event["id"])
            yield max(0.0, event["t"] - began - on_link_s - knobs.delay_s)
