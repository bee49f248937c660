"""A crowd at the eras in which repeating a request is safe, while its services are struck down.

Eight customers repeat the same request until they know. Meanwhile instances and orders are killed
with -9, an instance stands still, answers are dropped, a peer is a black hole, and the store is
busy with somebody else. In every run the laws hold, and in the end every order is settled. Whom a
trouble hits is chance: it comes again until it was seen to hit somebody.
"""

import sys
from collections.abc import Callable

import pytest

from lab.find import find
from lab.laws import check
from lab.linear import Verdict, check_shelves
from lab.stage import Stage, Variant
from tests.histories.regulars import Regulars
from tests.histories.shelves import nearly_sold_out, settled
from tests.histories.trouble import answers_lost, make_trouble, paused
from tests.targets import Target, parameters, targets

CUSTOMERS = 8
MOST_ROUNDS = 12  # one is nearly always enough


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", parameters(with_http(metafunc.config)))


def with_http(config: pytest.Config) -> list[Target]:
    """A sidecar says the same on both wires, and asks on both the same: once is enough for it."""
    asked = config.getoption("--wire") or "portable"
    return [
        target
        for target in targets(config)
        if target.speaks_http and (target.form == asked or not find(target.era).has_sidecars)
    ]


def test_who_repeats_until_he_knows_breaks_no_law(target: Target, seed, tmp_path):
    with Stage(target.era, target.form, seed=seed, directory=tmp_path, traced=False) as stage:
        crowd = Regulars(stage.customer, nearly_sold_out(), seed)
        crowd.run(CUSTOMERS, lambda: until_it_was_hard(crowd, lambda: make_trouble(stage)))
        settled(stage)
        crowd.settle()
        stores = settled(stage)
    crowd.recorder.save(tmp_path / "history.jsonl")
    history = crowd.recorder.operations()
    assert was_hard(crowd), "too easy"
    assert check(history, stores, settled=True) == [], f"read {tmp_path / 'history.jsonl'}"
    verdicts = list(check_shelves(history, stores).values())
    assert Verdict.NO not in verdicts, f"read {tmp_path / 'history.jsonl'}"
    assert verdicts.count(Verdict.YES) > len(verdicts) / 2, "too much was left undecided"


def until_it_was_hard(crowd: Regulars, make_trouble: Callable[[], None]) -> None:
    """Trouble, at least once and at most MOST_ROUNDS times."""
    for _ in range(MOST_ROUNDS):
        make_trouble()
        if was_hard(crowd):
            return


def was_hard(crowd: Regulars) -> bool:
    """Whether customers were told all that they can be, and one of them that nobody knows."""
    told = {call.outcome for call in crowd.recorder.operations()}
    was_hit = any(event["type"] == "info" for event in list(crowd.recorder.events))
    return was_hit and {"placed", "out_of_stock", "cancelled", "conflict"} <= told


@pytest.mark.parametrize("precaution", ["deduplication", "tombstones"])
def test_the_same_crowd_finds_what_an_inventory_leaves_out(precaution, seed, tmp_path):
    careless = Variant([sys.executable, "-m", "tests.histories.careless", precaution])
    variants = {f"inventory-{number}": careless for number in (1, 2, 3)}
    with Stage("3", seed=seed, directory=tmp_path, traced=False, variants=variants) as stage:
        rounds = (laws_broken_at(stage, seed, number) for number in range(MOST_ROUNDS))
        assert any("book and stock agree" in broken for broken in rounds)


def laws_broken_at(stage: Stage, seed: int, number: int) -> set[str]:
    """By the first crowd, or by this one and those before it, who have emptied their shelves."""

    def happen() -> None:
        for instance in stage.instances:
            paused(stage, instance, 0.8)
            answers_lost(stage, 0.4)

    crowd = Regulars(stage.customer, nearly_sold_out(number), seed + number)
    crowd.run(CUSTOMERS, happen)
    return {violation.law for violation in check(crowd.recorder.operations(), settled(stage))}
