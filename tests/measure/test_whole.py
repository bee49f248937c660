"""A part that fails, or Ctrl-C, costs its own figures and not those already measured."""

import pytest

from lab.measure import CannotMeasure, Interrupted, machine
from lab.measure.figure import Figure, alone
from lab.measure.turns import Part, Step
from lab.measure.whole import measure


def fine(name: str) -> Part:
    return Part((name,), 1.0, lambda step: [alone(name, "s", [1.0])])


def broken(name: str, problem: BaseException) -> Part:
    def run(step: Step) -> list[Figure]:
        raise problem

    return Part((name,), 1.0, run)


def names(measurement: dict[str, list[dict[str, str]]]) -> list[str]:
    return [figure["name"] for figure in measurement["figures"]]


def test_a_part_that_fails_is_told_and_listed_as_missing() -> None:
    told: list[str] = []
    parts = [fine("a"), broken("b", CannotMeasure("no report")), fine("c")]
    measurement = measure(parts, {}, told.append, "")
    assert names(measurement) == ["a", "c"]
    assert measurement["missing"] == ["b"]
    assert any("b" in line and "no report" in line for line in told)


def test_ctrl_c_keeps_what_has_been_measured() -> None:
    parts = [fine("a"), broken("b", KeyboardInterrupt()), fine("c")]
    with pytest.raises(Interrupted) as interrupted:
        measure(parts, {}, lambda _: None, "")
    assert names(interrupted.value.measurement) == ["a"]
    assert interrupted.value.measurement["missing"] == ["b", "c"]


def test_a_long_part_is_told_before_it_begins():
    told: list[str] = []
    long = Part(("a",), 60.0, fine("a").run)
    measure([long, fine("b")], {}, told.append, "")
    assert told[-1] == "a begins, about 60 s"


@pytest.mark.parametrize(("load", "is_told"), [(0.1, False), (5.2, True)])
def test_a_busy_machine_is_told(monkeypatch, load, is_told):
    told: list[str] = []
    monkeypatch.setattr(machine, "describe", lambda: {"load_before": load})
    measure([fine("a")], {}, told.append, "")
    assert any("busy" in line for line in told) == is_told


def test_what_was_not_asked_for_is_missing_too() -> None:
    assert measure([fine("a"), fine("b")], {}, lambda _: None, "b")["missing"] == ["a"]
