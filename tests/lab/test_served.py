"""Who has served is counted from what proxies wrote, and heard by whoever asks beside orders."""

import re
import time

import pytest

from lab.commands import Conductor
from lab.served import count, headers_of
from lab.spans import spans
from lab.stage import Stage
from lab.trace import Event
from lab.vocabulary import BadCommand

WITHIN_S = 5.0


def heard(source: str, t: float = 2.0, note: str = "answered", process: str = "orders") -> Event:
    return Event(t, process, "answer", source, process, "o-1", note=note)


def test_only_what_orders_was_answered_since_then_counts():
    events = [
        heard("inventory-1", t=0.5),
        heard("inventory-2"),
        heard("inventory-1"),
        heard("inventory-2"),
        heard("inventory-1", note="timed out"),
        heard("orders", process="inventory-1"),
    ]
    versions = {"inventory-2": "v2"}
    assert count(events, 1.0, versions) == "inventory-1 served 1, inventory-2 v2 served 2"
    assert count(events, 3.0, versions) == "nobody has served since"


def test_headers_are_words_with_an_equals_sign():
    assert headers_of(["x-canary=yes", "a=b=c"]) == {"x-canary": "yes", "a": "b=c"}
    with pytest.raises(ValueError, match="'=no'; accepted: NAME=VALUE"):
        headers_of(["=no"])


def test_a_trace_is_told_attempt_by_attempt():
    ids = {"trace": "aa" * 16, "parent": "bb" * 8}
    events = [
        Event(1.0, "orders", "call", "orders", "inventory-1", "o-1", span="01" * 8, **ids),
        Event(1.5, "orders", "answer", "inventory-1", "orders", "o-1", span="01" * 8, **ids),
        Event(2.0, "orders", "call", "orders", "inventory-2", "o-1", span="02" * 8, **ids),
    ]
    assert spans(events, "o-1").splitlines() == [
        f"trace {'aa' * 16}",
        "span bbbbbbbb  a customer asks orders",
        "     01010101  orders asks inventory-1:  after 500.0 ms",
        "     02020202  orders asks inventory-2: under way",
    ]
    with pytest.raises(ValueError, match="no trace names 'o-2'"):
        spans(events, "o-2")


@pytest.fixture(scope="module")
def beside(seed):
    with Stage("5", instances=1, seed=seed) as stage:
        yield Conductor(stage, patience_s=5)


def test_before_anybody_has_asked_nobody_has_served(beside):
    assert beside.obey("served").text == "nobody has served since"


def test_who_asks_beside_orders_is_told_and_leaves_a_trace(beside):
    assert beside.obey("ask 3 /catalogue x-canary=yes").text == "3 answers: 3 times 200"
    found = 0
    until = time.monotonic() + WITHIN_S
    while found < 3 and time.monotonic() < until:  # the last is written after it was answered
        told = re.fullmatch(r"inventory-1 served (\d)", beside.obey("served").text)
        found += int(told[1]) if told else 0
    assert found == 3
    assert beside.obey("served").text == "nobody has served since"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ask many /catalogue", "ask 'many'; accepted: a number from 1 to 1000"),
        ("ask 3 /catalogue x-canary", "'x-canary'; accepted: NAME=VALUE"),
        ("ask 3", r"'ask 3'; accepted: mesh VERB \.\.\., served, spans ORDER"),
        ("mesh", "'mesh'; accepted: mesh VERB"),
        ("mesh status", "no control plane"),
    ],
)
def test_what_a_mesh_cannot_be_told_is_refused_in_words(beside, line, told):
    with pytest.raises(BadCommand, match=told):
        beside.obey(line)
