"""The price of decisions: each figure times what its name says, in the state that it says."""

import pytest

from lab import find
from lab.measure import CannotMeasure, policies
from lab.measure.figure import Figure


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """All of them, from few calls."""
    monkeypatch.setattr(policies, "REPEATS", 20)
    parts = policies.parts(quick=True)
    return [figure for part in parts for figure in part.run(lambda label, planned_s: None)]


def test_each_part_yields_the_figure_that_it_announces(figures: list[Figure]) -> None:
    announced = [name for part in policies.parts(quick=True) for name in part.names]
    assert [figure.name for figure in figures] == announced
    assert len(set(announced)) == len(policies.DECISIONS)


def test_a_decision_stands_beside_an_empty_method_and_may_take_a_microsecond(
    figures: list[Figure],
) -> None:
    for figure in figures:
        assert figure.ours and figure.peer and figure.ratio
        assert (figure.unit, figure.peer_name) == ("ns", "an empty method")
        assert figure.target == policies.AT_MOST_A_MICROSECOND


def test_the_median_is_of_at_least_five_rounds_and_the_warm_up_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed: list[str] = []

    def count(statement: str, names: dict[str, object]) -> float:
        timed.append(statement)
        return 1.0 if len(timed) > 2 else 1000.0

    monkeypatch.setattr(policies, "nanoseconds", count)
    [figure] = policies.parts(quick=False)[0].run(lambda label, planned_s: None)
    assert figure.runs >= 5
    assert set(figure.ours_runs) == {1.0}
    assert len(timed) == 2 * (figure.runs + 1)


def test_empty_method_and_decision_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[str] = []
    monkeypatch.setattr(policies, "nanoseconds", lambda each, names: timed.append(each) or 1.0)
    policies.parts(quick=True)[0].run(lambda label, planned_s: None)
    assert timed == 2 * [policies.EMPTY, policies.DECISIONS["breaker/admit-record"]]


@pytest.mark.parametrize("rounds", [0, policies.ROUNDS + 1])
def test_policies_are_still_in_the_state_that_is_named_when_all_rounds_are_over(
    rounds: int,
) -> None:
    names = policies.stage()
    for _ in range(rounds * 2 * policies.REPEATS):  # the empty method reads the clock too
        next(names["ticks"])
    now = next(names["ticks"])
    assert names["opened"].admit(now) is None
    assert not names["emptied"].try_take(now)
    assert names["bucket"].try_take(now)
    assert names["budget"].try_withdraw(now)
    assert names["breaker"].admit(now)
    assert all(each.admits(now) for each in names["three"])


def test_the_stock_of_tokens_and_retries_lasts_for_all_rounds() -> None:
    names = policies.stage()
    calls = (policies.ROUNDS + 1) * policies.REPEATS
    bucket, budget = names["bucket"], names["budget"]
    assert all(bucket.try_take(next(names["ticks"])) for _ in range(calls))
    assert budget.balance(0.0) > calls


def test_without_the_era_nothing_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> find.Era:
        raise find.UnknownEra(f"unknown era {name!r}")

    monkeypatch.setattr(find, "find", unknown)
    with pytest.raises(CannotMeasure, match="era 4: unknown era '4'"):
        policies.stage()


def test_the_quick_run_takes_seconds() -> None:
    assert sum(part.planned_s for part in policies.parts(quick=True)) < 5
