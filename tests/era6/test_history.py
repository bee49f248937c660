"""The history of intents: numbers that only grow, one change at a time, and no end by `kill -9`."""

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from era0_naive.sqlite_file import SqliteFile
from era6_control_plane.history import History, Moved, UnknownRevision

ROOT = Path(__file__).parents[2]
WRITERS, EACH = 4, 25
WRITER = """
import sys
from pathlib import Path
from era6_control_plane.history import History

history = History(Path(sys.argv[1]))
while True:
    made = history.add("text" * 1000, "writer", "", ["a: 1 -> 2"], None, 0.0)
    print(made.number, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "intent.db"


def add(history: History, text: str, base: int | None = None) -> int:
    return history.add(text, "ada", "why", ["a: 1 -> 2"], base, 5.0).number


def test_an_empty_history_has_no_newest(path):
    history = History(path)
    assert history.newest() is None
    assert history.latest(10) == []
    with pytest.raises(UnknownRevision, match=r"^revision 1 is not known: there is none yet$"):
        history.revision(1)


def test_what_was_said_is_kept_with_who_when_and_why(path):
    History(path).add("the text \u4e2d", "ada", "as a test", ["a: 1 -> 2", "b: new"], 0, 12.5)
    kept = History(path).newest()
    assert (kept.number, kept.at, kept.who, kept.note) == (1, 12.5, "ada", "as a test")
    assert (kept.text, kept.changes) == ("the text \u4e2d", ("a: 1 -> 2", "b: new"))


def test_the_newest_comes_first(path):
    history = History(path)
    for text in "abc":
        add(history, text)
    assert [(each.number, each.text) for each in history.latest(2)] == [(3, "c"), (2, "b")]
    assert history.revision(1).text == "a"


def test_of_two_changes_of_one_revision_the_second_is_told(path):
    history = History(path)
    assert add(history, "a", base=0) == 1
    assert add(history, "b", base=1) == 2
    with pytest.raises(Moved, match="revision 2 is the newest, and not 1, on which this is based"):
        add(history, "c", base=1)
    assert history.newest().text == "b"
    assert add(history, "c", base=None) == 3


def test_many_writers_of_one_file_each_have_a_number_of_their_own(path):
    def write(_: int) -> list[int]:
        history = History(path)
        return [add(history, "x") for _ in range(EACH)]

    with ThreadPoolExecutor(WRITERS) as pool:
        numbers = [each for listed in pool.map(write, range(WRITERS)) for each in listed]
    assert sorted(numbers) == list(range(1, WRITERS * EACH + 1))


def test_of_many_who_change_the_same_revision_one_succeeds(path):
    add(History(path), "first")

    def write(number: int) -> bool:
        try:
            return add(History(path), f"{number}", base=1) == 2
        except Moved:
            return False

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(write, range(WRITERS))) == 1
    assert History(path).newest().number == 2


def test_whoever_was_told_a_number_finds_it_after_a_kill(path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        told = [int(writer.stdout.readline()) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        told += map(int, writer.stdout.read().split())
    finally:
        writer.kill()
        writer.wait()
    history = History(path)
    newest = history.newest().number
    assert newest in (told[-1], told[-1] + 1)
    assert {history.revision(each).text for each in told} == {"text" * 1000}
    assert add(history, "after", base=newest) == newest + 1


def test_the_oldest_are_forgotten_and_their_numbers_never_given_again(path):
    history = History(path, most_kept=3)
    for text in "abcde":
        add(history, text)
    assert [each.number for each in history.latest(10)] == [5, 4, 3]
    with pytest.raises(UnknownRevision, match="revision 2 is not known: accepted are 3 to 5"):
        history.revision(2)
    history._file.change("DELETE FROM revisions")
    assert add(history, "f") == 6


# Files that are no history.


def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_bytes(b"[services.a]\n" * 100)
    with pytest.raises(
        ValueError, match=rf"history {path} is damaged, or no SQLite file \(file is"
    ):
        History(path)
    assert path.read_bytes() == b"[services.a]\n" * 100


def test_somebody_elses_database_is_left_alone(path):
    SqliteFile(path, ["CREATE TABLE orders (id TEXT)"]).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is an SQLite file of somebody else's; accepted: a histo"):
        History(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_history(path):
    path.touch()
    assert add(History(path), "a") == 1


@pytest.mark.parametrize("at", [30, 4096 + 8, 2 * 4096 + 8, 3 * 4096])
def test_a_damaged_file_is_told_and_not_half_read(path, at):
    history = History(path)
    for number in range(20):
        add(history, f"{number}" * 3000)
    history.close()
    content = bytearray(path.read_bytes())
    content[at : at + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"history {path} is (damaged|an SQLite file of)"):
        History(path)


def test_a_file_that_was_cut_off_is_told(path):
    history = History(path)
    for number in range(20):
        add(history, f"{number}" * 3000)
    history.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match="is damaged"):
        History(path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="unable to open database file; accepted: an SQLite file"):
        History(tmp_path / "no" / "intent.db")


def test_a_copy_of_a_history_is_one(path, tmp_path):
    add(History(path), "a")
    copy = tmp_path / "copy.db"
    with sqlite3.connect(path) as old, sqlite3.connect(copy) as new:
        old.backup(new)
    assert History(copy).newest().text == "a"
