"""What is put on tape: who asked whom for what, which attempt it was, and what came of it."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from era0_naive import shop
from era4_framework.errors import ConnectFailed, Timeout
from era4_framework.service import Request
from era4_framework.telemetry import Telemetry
from tests.era3.tokens import bearer
from tests.era4.reception import BODY, CONFIG, FIELDS, Reception
from tests.era4.virtual import Play, fails, fails_first


@pytest.fixture
def tape(tmp_path, monkeypatch):
    """Reads what has been written so far."""
    monkeypatch.setenv("ERAS_TRACE", str(tmp_path))

    def read() -> list[dict]:
        lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    return read


def told(events: list[dict]) -> list[tuple[str, str, str, str]]:
    return [(each["what"], each["from"], each["to"], each["note"]) for each in events]


def test_each_attempt_is_a_question_and_what_came_of_it(tape):
    play = Play().everybody(fails_first(Timeout("silent")))
    play.reserve("o-1")
    first, second = play.asked()
    assert told(tape()) == [
        ("call", "orders", first, "reserve o-1 s"),
        ("note", "orders", "orders", "silent"),
        ("call", "orders", second, "reserve o-1 s, attempt 2"),
        ("answer", second, "orders", "reserved"),
    ]
    assert {each["id"] for each in tape()} == {"o-1"}
    assert {each["process"] for each in tape()} == {"orders"}


def test_the_ids_on_tape_are_those_on_the_wire(tape):
    play = Play()
    play.reserve()
    event = tape()[0]
    header = play.attempts[0].request.headers["traceparent"]
    assert header == f"00-{event['trace']}-{event['span']}-01"


def test_what_was_done_for_another_service_is_a_note_that_names_its_span(tape):
    header = f"00-{'a' * 32}-{'b' * 16}-01"
    Reception().reserve(traceparent=header)
    (event,) = tape()
    assert told([event]) == [
        ("note", "inventory-1", "inventory-1", "reserve o-1 sku-0001 2: reserved")
    ]
    assert (event["trace"], event["parent"]) == ("a" * 32, "b" * 16)


def test_what_a_customer_asked_and_was_told_is_on_our_tape(tape):
    reception = Reception(is_edge=True)
    body = b'{"sku": "s", "quantity": 1, "card": "canary"}'
    reception.stack(Request("reserve", "PUT", "/o-1", body, "o-1", fields=FIELDS))
    assert told(tape()) == [
        ("call", "customer", "inventory-1", "reserve o-1 s 1"),
        ("answer", "inventory-1", "customer", "reserved"),
    ]


def test_a_refusal_is_told_too_and_nothing_of_its_token(tape):
    forged = bearer(secret=b"0" * 64)
    Reception().catalogue(forged)
    assert told(tape()) == [("note", "inventory-1", "inventory-1", "catalogue: unavailable")]
    token = forged["Authorization"].removeprefix("Bearer ")
    assert not any(part in json.dumps(tape()) for part in token.split("."))


def test_what_a_stranger_sends_is_not_put_on_tape(tape):
    Reception().stack(Request("reserve", "PUT", "/o-1", BODY, "o-1", {}, FIELDS))
    assert [each["note"] for each in tape()] == ["reserve o-1: unavailable"]


def test_what_a_customer_too_many_asked_is_told_without_its_body(tape):
    reception = Reception(replace(CONFIG, most_in_flight=1), is_edge=True)

    def ask_again() -> shop.Outcome:
        reception.stack(Request("reserve", "PUT", "/o-2", BODY, "o-2", {}, FIELDS))
        return shop.Outcome("reserved")

    reception.business = ask_again
    reception.stack(Request("reserve", "PUT", "/o-1", BODY, "o-1", {}, FIELDS))
    assert told(tape()) == [
        ("call", "customer", "inventory-1", "reserve o-1 sku-0001 2"),
        ("call", "customer", "inventory-1", "reserve o-2"),
        ("answer", "inventory-1", "customer", "unavailable"),
        ("answer", "inventory-1", "customer", "reserved"),
    ]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"[" * 60_000, b'{"a": "' + b"x" * 9_999])
def test_a_note_survives_any_body_and_stays_short(tape, body):
    Reception().reserve(body)
    (event,) = tape()
    assert len(event["note"]) <= 120
    assert event["id"] == "o-1"


def test_a_folder_that_vanished_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("ERAS_TRACE", str(tmp_path / "gone"))
    assert Play().reserve().status == 201


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv("ERAS_TRACE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConnectFailed):
        Play().everybody(fails(ConnectFailed("no"))).reserve()
    assert list(Path(tmp_path).iterdir()) == []


def test_ids_differ_from_process_to_process():
    one, other = Telemetry("a"), Telemetry("b")
    assert one.tracer.outbound().trace != other.tracer.outbound().trace
    assert (
        Telemetry("a", Random(7)).tracer.outbound() == Telemetry("a", Random(7)).tracer.outbound()
    )
