"""From the trace that wire and services write to the rows of a recording."""

from __future__ import annotations

import time
from typing import Any

from lab.contract import Customer
from lab.docs.recording import Event as Row
from lab.docs.recording import Recorder
from lab.label import Label
from lab.trace import Event

ORDER = "o-1"
MOST_ROOMY_LANES = 3  # of more each is narrow


class Heard:
    """A door at which everything that a customer says and is told is written down."""

    def __init__(self, customer: Customer) -> None:
        self.told: list[Event] = []
        self._customer = customer

    def ask(self, operation: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        words = " ".join(map(str, operation.values()))
        self._write("call", "customer", "orders", operation, words)
        outcome = self._customer.ask(operation, timeout_s=timeout_s)
        self._write("answer", "orders", "customer", operation, str(outcome["outcome"]))
        return outcome

    def close(self) -> None:
        self._customer.close()

    def _write(
        self, what: str, source: str, target: str, operation: dict[str, Any], note: str
    ) -> None:
        order_id = str(operation.get("order_id", ""))
        at = time.monotonic()
        self.told.append(Event(at, "customer", what, source, target, order_id, 0, note))


class Reader:
    """Turns events in order of time into rows."""

    def __init__(self, recorder: Recorder, events: list[Event], label: Label) -> None:
        self._recorder = recorder
        self._events = events
        self._label = label
        self._under_way: dict[tuple[str, str, int | str], Row] = {}

    def read(self) -> None:
        """Read all events; labels remember, so frames before the beginning are shown to them."""
        begins = next(e.t for e in self._events if e.source == "customer" and e.id == ORDER)
        for event in self._events:
            if event.t >= begins:
                self._read_one(event, event.t - begins)
            elif event.what == "send":
                self._label(event)

    def _read_one(self, event: Event, at_s: float) -> None:
        key = (event.source, event.target, event.id)
        if event.process == "wire" and event.what == "send":
            label = self._label(event)
            kind = "again" if "again" in label else "ack" if label.startswith("ACK") else "data"
            self._under_way[key] = self._recorder.send(
                at_s, event.source, event.target, _brief(label), kind
            )
        elif event.process == "wire" and event.what == "deliver":
            if key in self._under_way:
                self._recorder.arrive(self._under_way[key], at_s)
        elif event.process == "wire":
            if key in self._under_way:
                self._under_way[key]["fate"] = event.note
        elif event.what == "note":
            is_narrow = len(self._recorder.lanes) > MOST_ROOMY_LANES
            self._recorder.note(at_s, event.process, _remark(event, is_narrow))
        elif "customer" in (event.source, event.target):
            kind = event.what
            said = self._recorder.send(at_s, event.source, event.target, event.note, kind)
            self._recorder.arrive(said, at_s)
        elif event.what == "call" and ", attempt " in event.note:
            attempt = event.note.rpartition(", ")[2]
            self._recorder.note(at_s, event.process, f"{attempt}: {event.target}")


def _remark(event: Event, is_narrow: bool) -> str:
    """A note without what was asked: for a customer's complaint it stands in the row above, and
    for what an inventory did in the arrow, which is repeated only where there is room.
    """
    if is_narrow and event.process != "orders":
        return event.note.rpartition(": ")[2]
    return event.note.partition(" to b'")[0]


def _brief(label: str) -> str:
    """Without half a message in JSON, and without `again`, which the player says itself."""
    return label.replace(" again", "").partition(' {"')[0]
