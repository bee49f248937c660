"""A recording: one run of messages between a few processes, as the player and the text show it.

    {"schema": "ladder/1", "title": ..., "lanes": ["orders", "inventory"], "made_by": ...,
     "events": [
      {"row": 0, "at_s": 0.0, "from": "orders", "to": "inventory", "label": "DATA seq=1",
       "kind": "data", "end_row": 2, "end_at_s": 0.01, "fate": ""},
      {"row": 1, "at_s": 0.0, "on": "orders", "label": "waits"}]}

Rows are instants in their order. A message without an end was lost; `fate` says why, or what else
the wire did to it. kind: data, ack, control, again (sent before), call or answer.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from lab.docs import CAPTURED, DocsError

SCHEMA = "ladder/1"
Event = dict[str, Any]


@dataclass
class Recorder:
    """Puts messages and notes into rows, in the order in which they happened."""

    title: str
    lanes: Sequence[str]
    made_by: str
    rows: int = 0
    events: list[Event] = field(default_factory=list)

    def send(self, at_s: float, begin: str, end: str, label: str, kind: str) -> Event:
        """A message leaves; give what this returns to `arrive` or `lose`."""
        event = self._add(at_s, {"from": begin, "to": end, "label": label, "kind": kind})
        event["fate"] = ""
        return event

    def arrive(self, event: Event, at_s: float) -> None:
        """The message (or, if it had arrived before, a copy of it) arrives."""
        if "end_row" in event:
            copy = {key: event[key] for key in ("at_s", "from", "to", "label", "kind", "row")}
            event = copy | {"fate": "a copy"}
            self.events.append(event)
        event["end_at_s"] = round(at_s, 6)
        event["end_row"] = self._next_row()

    def note(self, at_s: float, on: str, label: str) -> None:
        """Something happens at one place."""
        self._add(at_s, {"on": on, "label": label})

    def done(self) -> dict[str, Any]:
        """The recording as JSON."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "lanes": list(self.lanes),
            "made_by": self.made_by,
            "events": sorted(self.events, key=lambda event: event["row"]),
        }

    def _add(self, at_s: float, event: Event) -> Event:
        event = {"row": self._next_row(), "at_s": round(at_s, 6)} | event
        self.events.append(event)
        return event

    def _next_row(self) -> int:
        self.rows += 1
        return self.rows - 1


def load(name: str, directory: Path = CAPTURED / "ladders") -> dict[str, Any]:
    """Load a recording by name; raises DocsError if it is missing or no recording."""
    path = directory / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(path.stem for path in directory.glob("*.json"))) or "none"
        raise DocsError(f"no recording {name!r}; there: {there}")
    recording = json.loads(path.read_text(encoding="utf-8"))
    if recording.get("schema") != SCHEMA:
        raise DocsError(f"{path.name} is no recording: its schema is {recording.get('schema')!r}")
    return dict(recording)


def write(recording: Mapping[str, Any]) -> str:
    """The recording as text, one event a line, so that a changed run is a readable diff."""
    head = {key: value for key, value in recording.items() if key != "events"}
    lines = ",\n".join(json.dumps(event, ensure_ascii=False) for event in recording["events"])
    return json.dumps(head, ensure_ascii=False)[:-1] + f', "events": [\n{lines}\n]}}\n'


def player(recordings: Sequence[Mapping[str, Any]], axis: str, names: Sequence[str]) -> str:
    """The interactive player as HTML; without JavaScript the first recording's text remains.

    axis: what the variants differ in; names: what each is called.
    """
    # `<data value>`, not a script of type JSON: it is found again after any kind of page load.
    # The outer <div>: Python-Markdown would put an unknown element into <p>, and its lists outside.
    inner = []
    for number, (recording, name) in enumerate(zip(recordings, names, strict=True)):
        content = json.dumps(recording, ensure_ascii=False, separators=(",", ":"))
        title = escape(recording["title"])
        inner.append(f'<data value="{escape(content)}" data-name="{escape(name)}"></data>')
        inner.append(
            f'<div slot="text-{number}"><p><strong>{title}</strong></p>'
            f"<ol>{''.join(map(_line, recording['events']))}</ol></div>"
        )
    return f'<div><packet-ladder axis="{escape(axis)}">{"".join(inner)}</packet-ladder></div>'


def sentence(event: Event) -> str:
    """One event in words."""
    at = milliseconds(event["at_s"])
    if "on" in event:
        return f"{at}, {event['on']}: {event['label']}"
    said = f"{at}, {event['from']} to {event['to']}: {event['label']}"
    fate = f", {event['fate']}" if event["fate"] else ""
    if "end_at_s" not in event:
        return f"{said}{fate or ', never arrives'}"
    return f"{said}{fate}; arrives at {milliseconds(event['end_at_s'])}"


def milliseconds(seconds: float) -> str:
    """`12.3 ms`, `0.25 ms`, `1,250 ms`: as many digits as mean something."""
    ms = seconds * 1000
    digits = 0 if ms >= 1000 or ms == round(ms) else 1 if ms >= 1 else 2
    return f"{ms:,.{digits}f} ms"


def _line(event: Event) -> str:
    return f"<li>{escape(sentence(event))}</li>"


def captured(names: Iterable[str]) -> list[dict[str, Any]]:
    """Several recordings by name; raises DocsError if none is asked for."""
    found = [load(name) for name in names]
    if not found:
        raise DocsError("no recording is named; write the names, one a line")
    return found
