"""A learner reads the failure first: it must say what was asked, both answers, where to look."""

import pytest

from lab.contract import Customer, CustomerTimeout
from tests.contract.oracle import Oracle
from tests.contract.twins import Disagreement, Twins


class Liar(Oracle):
    """Sells what it does not have."""

    def ask(self, operation, timeout_s):
        answer = super().ask(operation, timeout_s)
        return answer | {"outcome": "placed"} if answer["outcome"] == "out_of_stock" else answer


class Mute(Oracle):
    def ask(self, operation, timeout_s):
        raise CustomerTimeout("no answer within 15 s")


def twins_of(door: type[Oracle], tmp_path) -> Twins:
    (tmp_path / "era").mkdir()
    twins = Twins("my_era", Customer(door(tmp_path / "era")), Customer(Oracle(tmp_path)), "TRACE")
    twins.story("an empty shelf")
    return twins


def test_a_wrong_answer_is_reported_beside_the_right_one(tmp_path):
    twins = twins_of(Liar, tmp_path)
    twins.place("o-1", "sku-0001", 1)
    with pytest.raises(Disagreement) as caught:
        twins.place("o-2", "sku-0001", 1000)
    report = str(caught.value)
    assert "my_era and the rules of the shop disagree" in report
    assert '1  place "o-1" "sku-0001" 1  ->  placed' in report
    assert '2  place "o-2" "sku-0001" 1000  ->  placed' in report
    assert 'the rules say     {"outcome": "out_of_stock"' in report
    assert "TRACE" in report


def test_silence_is_reported_as_silence(tmp_path):
    with pytest.raises(Disagreement, match="CustomerTimeout: no answer within 15 s"):
        twins_of(Mute, tmp_path).show("o-1")


def test_prose_may_differ(tmp_path):
    class Wordy(Oracle):
        def ask(self, operation, timeout_s):
            return super().ask(operation, timeout_s) | {"detail": "Gibt es nicht."}

    assert twins_of(Wordy, tmp_path).show("never")["outcome"] == "not_found"


def test_a_missing_field_is_a_disagreement(tmp_path):
    class Vague(Oracle):
        def ask(self, operation, timeout_s):
            return {"outcome": super().ask(operation, timeout_s)["outcome"]}

    with pytest.raises(Disagreement, match="quantity"):
        twins_of(Vague, tmp_path).place("o-1", "sku-0001", 0)
