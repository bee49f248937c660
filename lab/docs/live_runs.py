"""Runs of real services, for ladders: recorded from the trace that wire and services write.

The fates of the frames are scripted, so the story is always the same; the times are the machine's.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import time
from collections.abc import Callable
from typing import Any

from lab import find
from lab.contract import Customer, NoOutcome
from lab.docs.recording import Event as Row
from lab.docs.recording import Recorder
from lab.stage import Stage
from lab.trace import Event
from lab.wire import Knobs

LANES = ("customer", "orders", "inventory")
ENDS = ("orders", "inventory")
PATIENCE_S = 1.0
QUIET_S = 0.1  # many times the wire's round trip
WAY = Knobs(delay_s=0.005)


def record(
    era: str,
    title: str,
    play: Callable[[Stage, Customer], None],
    form: str = "portable",
    seed: int = 7,
) -> dict[str, Any]:
    """Let real services of `era` play, and turn their trace into a recording."""
    made_by = f"Real processes of era {era}, {form} wire; recorded by lab/docs."
    recorder = Recorder(title, LANES, made_by)
    with Stage(era, form, knobs=WAY, seed=seed) as stage:
        play(stage, stage.customer())
        events = _when_quiet(stage)
    _Reader(recorder, events, label_of(era, form)).read()
    return recorder.done()


def _when_quiet(stage: Stage) -> list[Event]:
    """The trace, once everything under way has arrived."""
    known = -1
    while len(events := stage.trace()) != known:
        known = len(events)
        time.sleep(QUIET_S)
    return events


def label_of(era: str, form: str) -> Callable[[bytes, int], str]:
    """How the frames of an era are called: by its own packet layer, or by what they contain."""
    if era == "1":
        packet = importlib.import_module(f"{find.find(era).package}.packet")
        return lambda head, size: str(packet.summary(head))
    return lambda head, size: datagram(head[28:] if form == "real" else head, size)


def datagram(head: bytes, size: int) -> str:
    """A JSON message by its first words."""
    text = head.decode("ascii", "replace")
    with contextlib.suppress(ValueError):
        message = json.loads(text)
        words = [str(value) for value in message.values() if isinstance(value, (str, int))]
        return " ".join(words)
    cut = text.rfind(", ", 0, 48)
    return f"{text[: cut if cut > 0 else 48]} ... ({size:,} bytes)"


class _Reader:
    """Turns events in order of time into rows."""

    def __init__(
        self, recorder: Recorder, events: list[Event], label: Callable[[bytes, int], str]
    ) -> None:
        self._recorder = recorder
        self._events = events
        self._label = label
        self._under_way: dict[tuple[str, str, int | str], Row] = {}
        self._asked: dict[str, Row] = {}

    def read(self) -> None:
        """Read all events. Before the first call of a customer nothing of interest happens."""
        begins = next((e.t for e in self._events if e.source == "customer"), 0.0)
        for event in self._events:
            if event.t >= begins:
                self._read_one(event, event.t - begins)

    def _read_one(self, event: Event, at_s: float) -> None:
        key = (event.source, event.target, event.id)
        if event.process == "wire" and event.what == "send":
            label = self._label(event.head, event.size)
            self._under_way[key] = self._recorder.send(
                at_s, event.source, event.target, label, "data"
            )
        elif event.process == "wire" and event.what == "deliver":
            if key in self._under_way:
                self._recorder.arrive(self._under_way[key], at_s)
        elif event.process == "wire":
            if key in self._under_way:
                self._under_way[key]["fate"] = event.note
        elif event.what == "note":
            # what was asked stands in the row above: a customer's complaint need not repeat it
            self._recorder.note(at_s, event.process, event.note.partition(" to b'")[0])
        elif "customer" in (event.source, event.target):
            kind = event.what
            said = self._recorder.send(at_s, event.source, event.target, event.note, kind)
            self._recorder.arrive(said, at_s)


def _order(stage: Stage, customer: Customer) -> None:
    customer.place("o-1", "sku-0001", 2, timeout_s=PATIENCE_S)


def _with_fate(direction: str, *fates: str) -> Callable[[Stage, Customer], None]:
    def play(stage: Stage, customer: Customer) -> None:
        stage.wire.script(direction, list(fates))
        with contextlib.suppress(NoOutcome):
            customer.place("o-1", "sku-0001", 2, timeout_s=PATIENCE_S)

    return play


def _old_answer(stage: Stage, customer: Customer) -> None:
    stage.wire.script("back", ["duplicate"])
    customer.place("o-1", "sku-0001", 2, timeout_s=PATIENCE_S)
    customer.place("o-2", "sku-0001", 1000, timeout_s=PATIENCE_S)


LIVE: dict[str, Callable[[], dict[str, Any]]] = {
    "era0-good": lambda: record("0", "One order over a perfect wire", _order),
    "era0-lost": lambda: record("0", "The question is lost", _with_fate("there", "drop")),
    "era0-lost-answer": lambda: record("0", "The answer is lost", _with_fate("back", "drop")),
    "era0-twice": lambda: record(
        "0", "The question arrives twice", _with_fate("there", "duplicate")
    ),
    "era0-old-answer": lambda: record("0", "An old answer arrives again", _old_answer),
    # the seed is one whose flipped bit turns quantity 2 into 3
    "era0-corrupt": lambda: record("0", "One bit flips", _with_fate("there", "corrupt"), seed=445),
}
