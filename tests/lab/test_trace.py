"""One schema for all eras: an event keeps its span, and one without has none."""

import json

from lab.trace import Event, read_event

SPAN = {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "span": "00f067aa0ba902b7", "parent": ""}


def test_an_event_keeps_the_span_that_its_service_wrote():
    event = Event(1.0, "orders", "call", "customer", "orders", "o-1", trace="4bf9", span="00f0")
    assert read_event(json.dumps(event.as_json())) == event
    assert "parent" not in event.as_json()


def test_an_event_without_a_span_is_written_as_ever():
    written = Event(1.0, "orders", "note", "orders", "orders").as_json()
    assert list(written) == ["t", "process", "what", "from", "to", "id", "size", "note", "head"]


def test_members_that_are_unknown_or_empty_harm_nothing():
    line = Event(1.0, "orders", "note", "orders", "orders").as_json()
    event = read_event(json.dumps({**line, **SPAN, "parent": None, "colour": "red"}))
    assert (event.trace, event.span, event.parent) == (SPAN["trace"], SPAN["span"], "")
