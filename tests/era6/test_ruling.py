"""What is in force: nothing is applied by halves, and two who change it at once know it."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from era6_control_plane.history import History, Moved, UnknownRevision
from era6_control_plane.intent_file import IntentError
from era6_control_plane.ruling import Applied, Ruling

ONE, TWO, BAD = "[services.a]\n", "[services.a]\nsettle_s = 2\n", "[services.a]\nsettle_s = -2\n"
WRITERS = 8


class Heard:
    """Who is told, and may say beforehand that it cannot be."""

    def __init__(self) -> None:
        self.told: list[tuple[int, float]] = []
        self.refuse = ""

    def tell(self, number, intent) -> None:
        self.told.append((number, intent.services["a"].settle_s))

    def rehearse(self, intent) -> None:
        if self.refuse:
            raise ValueError(self.refuse)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "intent.db"


@pytest.fixture
def heard():
    return Heard()


def ruling_of(path, heard) -> Ruling:
    return Ruling(History(path), heard.tell, heard.rehearse, now=lambda: 7.0)


def test_nothing_is_in_force_before_anything_was_said(path, heard):
    ruling = ruling_of(path, heard)
    assert (ruling.intent, ruling.revision) == (None, None)


def test_what_is_applied_is_told_and_in_force_and_on_the_disk(path, heard):
    ruling = ruling_of(path, heard)
    assert ruling.apply(ONE, "ada") == Applied(1, ("services.a: new",), is_new=True)
    assert ruling.apply(TWO, "bob", "slower") == Applied(
        2, ("services.a.settle_s: 1.0 -> 2",), is_new=True
    )
    assert heard.told == [(1, 1.0), (2, 2)]
    assert ruling.intent.services["a"].settle_s == 2
    kept = History(path).newest()
    assert (kept.number, kept.at, kept.who, kept.note) == (2, 7.0, "bob", "slower")


def test_who_starts_again_has_what_was_in_force_and_tells_nobody(path, heard):
    ruling_of(path, heard).apply(TWO, "ada")
    heard.told.clear()
    again = ruling_of(path, heard)
    assert (again.revision.number, again.intent.services["a"].settle_s) == (1, 2)
    assert heard.told == []


@pytest.mark.parametrize("bad", [BAD, "", "x", "[services.pilot]", "\ud800"])
def test_a_bad_one_changes_nothing(path, heard, bad):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    with pytest.raises(IntentError):
        ruling.apply(bad, "ada")
    assert heard.told == [(1, 1.0)]
    assert ruling.revision.text == ONE
    assert len(ruling.latest(10)) == 1


def test_one_that_cannot_be_compiled_changes_nothing(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    heard.refuse = "node a-1 has no address"
    with pytest.raises(ValueError, match="node a-1 has no address"):
        ruling.apply(TWO, "ada")
    assert ruling.revision.number == History(path).newest().number == 1


def test_a_rehearsal_tells_what_would_change_and_changes_nothing(path, heard):
    ruling = ruling_of(path, heard)
    assert ruling.apply(ONE, "ada", is_rehearsal=True).revision == 0
    ruling.apply(ONE, "ada")
    done = ruling.apply(TWO, "ada", is_rehearsal=True)
    assert done == Applied(1, ("services.a.settle_s: 1.0 -> 2",), is_new=False)
    with pytest.raises(IntentError):
        ruling.apply(BAD, "ada", is_rehearsal=True)
    assert len(ruling.latest(10)) == 1


def test_the_same_again_is_no_revision(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    assert ruling.apply(ONE, "bob") == Applied(1, (), is_new=False)
    assert ruling.apply("# a comment\n" + ONE, "bob") == Applied(2, (), is_new=True)


def test_going_back_is_a_new_revision(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    ruling.apply(TWO, "ada")
    assert ruling.rollback(1, "bob") == Applied(3, ("services.a.settle_s: 2 -> 1.0",), is_new=True)
    assert (ruling.revision.text, ruling.revision.note) == (ONE, "back to revision 1")
    with pytest.raises(UnknownRevision):
        ruling.rollback(9, "bob")
    with pytest.raises(Moved):
        ruling.rollback(2, "bob", base=2)


def test_a_change_of_an_older_revision_is_refused(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada", base=0)
    with pytest.raises(Moved, match="revision 1 is the newest, and not 0"):
        ruling.apply(TWO, "bob", base=0)
    with pytest.raises(Moved):  # a rehearsal would be of something else
        ruling.apply(TWO, "bob", base=0, is_rehearsal=True)
    assert heard.told == [(1, 1.0)]


def test_what_another_process_wrote_is_not_overwritten_unseen(path, heard):
    ruling, other = ruling_of(path, heard), ruling_of(path, Heard())
    other.apply(TWO, "another control plane")
    with pytest.raises(Moved):
        ruling.apply(ONE, "ada")


def test_all_who_change_it_at_once_are_told_one_after_another(path, heard):
    ruling, begin = ruling_of(path, heard), threading.Barrier(WRITERS)

    def change(number: int) -> int:
        begin.wait()
        return ruling.apply(f"[services.a]\nsettle_s = {number}\n", "ada").revision

    with ThreadPoolExecutor(WRITERS) as pool:
        numbers = list(pool.map(change, range(1, WRITERS + 1)))
    assert sorted(numbers) == list(range(1, WRITERS + 1))
    assert [number for number, _ in heard.told] == list(range(1, WRITERS + 1))
    assert heard.told[-1][1] == ruling.intent.services["a"].settle_s


def test_of_all_who_change_one_revision_at_once_one_succeeds(path, heard):
    ruling, begin = ruling_of(path, heard), threading.Barrier(WRITERS)

    def change(number: int) -> bool:
        begin.wait()
        try:
            ruling.apply(f"[services.a]\nsettle_s = {number}\n", "ada", base=0)
        except Moved:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(change, range(1, WRITERS + 1))) == 1
    assert len(heard.told) == 1


@pytest.mark.parametrize(
    ("who", "note", "told"),
    [
        ("", "", "who is '': accepted is 1 to 200 letters on one line"),
        ("a\nb", "", "who is"),
        ("a\x1b[2J", "", "who is"),
        ("ada", "x" * 201, "note is"),
        ("ada", "\u202e", "note is"),
        ("a\ud800", "", "who is"),
        ("a\u2028b", "", "who is"),
    ],
)
def test_names_and_notes_are_what_a_line_can_show(path, heard, who, note, told):
    ruling = ruling_of(path, heard)
    with pytest.raises(ValueError, match=told):
        ruling.apply(ONE, who, note)
    assert ruling.revision is None


def test_a_note_may_be_in_chinese(path, heard):
    ruling_of(path, heard).apply(ONE, "\u674e", "\u56de\u6eda\u3000\u4e00")


def test_a_disk_that_is_full_leaves_all_as_it_was(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    ruling._history._file.ask("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        ruling.apply(ONE + "# x\n" * 10_000, "ada")
    assert (ruling.revision.number, heard.told) == (1, [(1, 1.0)])
    ruling._history._file.ask("PRAGMA max_page_count = 100000")
    assert ruling.apply(TWO, "ada").revision == 2


def test_what_differs_is_told_from_a_revision_to_another_or_to_a_text(path, heard):
    ruling = ruling_of(path, heard)
    ruling.apply(ONE, "ada")
    ruling.apply(TWO, "ada")
    lines, words = ruling.diff(1, 2)
    assert lines.splitlines()[:2] == ["--- revision 1", "+++ revision 2"]
    assert words == ["services.a.settle_s: 1.0 -> 2"]
    assert ruling.diff(2, ONE)[1] == ["services.a.settle_s: 2 -> 1.0"]
    assert ruling.diff(0, 1)[1] == ["services.a: new"]
    with pytest.raises(UnknownRevision):
        ruling.diff(1, 3)
    with pytest.raises(IntentError, match=r"intent\.toml, line 2"):
        ruling.diff(1, BAD)


def test_a_history_whose_newest_cannot_be_read_is_told_by_its_number(path, heard):
    History(path).add(BAD, "a release before", "", [], None, 0.0)
    with pytest.raises(IntentError, match=r"revision 1, line 2: services\.a\.settle_s"):
        ruling_of(path, heard)
