"""Trace events, one line each, for the ladder diagrams."""

import json
import os
import random
from pathlib import Path

from era4_framework.service import Request
from era4_framework.tracing import Span, Tracer
from era5_sidecar.tape import Tape


def only(folder: Path) -> dict:
    """The one event in there, without its time."""
    event = json.loads((folder / f"orders-1-{os.getpid()}.jsonl").read_text())
    assert event.pop("t") > 0
    return event


def test_a_line_has_the_members_that_era_4_writes(tmp_path):
    old, new = tmp_path / "4", tmp_path / "5"
    old.mkdir()
    new.mkdir()
    span = Span("a" * 32, "b" * 16, "c" * 16)
    tracer = Tracer("orders-1", str(old), random.Random(1))
    request = Request("reserve", "PUT", "/", key="o-1")
    tracer.write("call", "orders-1", "inventory-1", request, "n", span)
    tape = Tape("orders-1", str(new))
    tape.write("call", "orders-1", "inventory-1", "o-1", "n", span.trace, span.id, span.parent)
    assert only(old) == only(new)


def test_one_that_is_not_on_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("ERAS_TRACE", raising=False)
    tape = Tape("orders-1")
    tape.write("call", "a", "b", "o-1", "n")
    assert not tape.is_on


def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ERAS_TRACE", str(tmp_path))
    tape = Tape("orders-1")
    tape.write("note", "a", "b", "o" * 1000, "n" * 1000)
    tape.close()
    (path,) = tmp_path.iterdir()
    event = json.loads(path.read_text())
    assert (len(event["id"]), len(event["note"])) == (64, 120)


def test_a_folder_that_is_not_there_hurts_nobody(tmp_path):
    Tape("orders-1", str(tmp_path / "missing")).write("note", "a", "b", "", "")
