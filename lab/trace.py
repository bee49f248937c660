"""What happened, in one schema for all eras: JSON lines, one event each.

    {"t": 12.25, "process": "wire", "what": "send", "from": "orders", "to": "inventory",
     "id": 3, "size": 61, "note": "", "head": "7b226f70..."}

t is `time.monotonic()` in seconds, one clock for all processes of a machine. What the wire saw:
`send` (a frame entered it), what it did (`drop`, `duplicate`, `corrupt`, `reorder`, `hold`, with
the reason in `note`), `deliver`; one frame's events agree in from, to and id. What a service
saw: `call` and `answer`; `note` is a remark of any process. From era 3 on services add `trace`,
`span` and `parent`, in hex as in W3C Trace Context, so that what belongs to one order can be found.
Every process appends to a file of its own in the folder that the environment names as ERAS_TRACE;
here they are read and merged.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.contract import Door, NoOutcome, Outcome

FRAME_EVENTS = ("send", "deliver", "drop", "duplicate", "corrupt", "reorder", "hold")
SERVICE_EVENTS = ("call", "answer", "note")


class BadTrace(ValueError):
    """A line that is no event; the message names file, line and what is wrong."""


@dataclass(frozen=True)
class Event:
    """One line of a trace. `source` and `target` are its from and to; `head` a frame's start."""

    t: float
    process: str
    what: str
    source: str
    target: str
    id: int | str = ""
    size: int = 0
    note: str = ""
    head: bytes = b""
    trace: str = ""
    span: str = ""
    parent: str = ""

    def as_json(self) -> dict[str, Any]:
        """In the schema above."""
        context = {"trace": self.trace, "span": self.span, "parent": self.parent}
        return {
            "t": self.t,
            "process": self.process,
            "what": self.what,
            "from": self.source,
            "to": self.target,
            "id": self.id,
            "size": self.size,
            "note": self.note,
            "head": self.head.hex(),
            **{name: value for name, value in context.items() if value},
        }


def read_event(line: str | bytes) -> Event:
    """One line of JSON; raises ValueError if it is none of our events."""
    event = json.loads(line)
    if not isinstance(event, dict) or event.get("what") not in FRAME_EVENTS + SERVICE_EVENTS:
        raise ValueError(f"no event: {line[:80]!r}")
    return Event(
        t=float(event["t"]),
        process=str(event["process"]),
        what=event["what"],
        source=str(event["from"]),
        target=str(event["to"]),
        id=event.get("id", ""),
        size=int(event.get("size", 0)),
        note=str(event.get("note", "")),
        head=bytes.fromhex(event.get("head", "")),
        trace=str(event.get("trace") or ""),
        span=str(event.get("span") or ""),
        parent=str(event.get("parent") or ""),
    )


def read_file(path: Path) -> list[Event]:
    """The events of one process, without a last line that is still being written; BadTrace."""
    events = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            events.append(read_event(line))
        except (ValueError, KeyError, TypeError) as error:
            raise BadTrace(f"{path}, line {number}: {error!r}") from error
    return events


def read_folder(folder: Path) -> list[Event]:
    """All processes' events together, in order of time."""
    return merge(read_file(path) for path in sorted(folder.glob("*.jsonl")))


def merge(traces: Iterable[Iterable[Event]]) -> list[Event]:
    """In order of time; events of one moment keep the order in which their process wrote them."""
    return sorted((event for trace in traces for event in trace), key=lambda event: event.t)


def write(events: Iterable[Event], path: Path) -> None:
    """As JSON lines."""
    path.write_text("".join(json.dumps(event.as_json()) + "\n" for event in events))


class Tape:
    """One process's own file in a trace's folder."""

    def __init__(self, folder: Path, process: str, clock: Callable[[], float] = time.monotonic):
        self._path = folder / f"{process}-{os.getpid()}.jsonl"
        self._process = process
        self._clock = clock

    def note(self, text: str) -> None:
        """A remark, at this moment."""
        me = self._process
        event = Event(self._clock(), me, "note", me, me, note=text)
        with self._path.open("a") as file:  # one line, one write: threads may share the file
            file.write(json.dumps(event.as_json()) + "\n")


class Witnessed:
    """A door through which a customer's disappointments are put on tape.

    What is asked and answered the services report themselves; that nobody answered, only the
    customer knows.
    """

    def __init__(self, door: Door, tape: Tape) -> None:
        self._door = door
        self._tape = tape

    def ask(self, operation: Any, timeout_s: float) -> Outcome:
        """As the door does."""
        try:
            return self._door.ask(operation, timeout_s)
        except NoOutcome as silence:
            self._tape.note(str(silence).partition(" to b'")[0])  # what was asked stands above
            raise

    def close(self) -> None:
        self._door.close()
