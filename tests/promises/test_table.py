"""The table is whole: nothing in it is kept only because nobody filled the cell."""

from lab.docs.promises import FAILURES
from lab.find import ROOT, eras
from tests.promises.failures import Broken
from tests.promises.table import PROMISES

EXPLAINED = ROOT / "docs" / "en" / "concepts" / "promises.md"


def test_every_row_has_a_cell_for_every_era_that_can_be_asked() -> None:
    asked = {era.number for era in eras()}
    empty = {promise.name: asked - set(promise.kept) for promise in PROMISES}
    on_packets = {"0", "1"}  # whose wires know no connections
    open_cells = {
        promise.name: empty[promise.name]
        for promise in PROMISES
        if empty[promise.name] - (on_packets if promise.trouble == "connections" else set())
    }
    assert open_cells == {}


def test_no_two_rows_have_one_name() -> None:
    names = [promise.name for promise in PROMISES]
    assert len(names) == len(set(names))


def test_every_failure_has_its_words_in_the_matrix_and_in_the_docs() -> None:
    assert set(FAILURES) == {failure.__name__ for failure in Broken.__subclasses__()}
    text = EXPLAINED.read_text(encoding="utf-8")
    assert [words for words in FAILURES.values() if f"\n| {words} |" not in text] == []
