"""A line for each request, and what becomes of lines that cannot be written."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from era5_sidecar import access_log as module
from era5_sidecar.access_log import AccessLog
from era5_sidecar.config import LogConfig

NOW = 1767225600.1234
HAS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


def add(log: AccessLog, target: str = "/reservations/o-1", method: str = "PUT", **also) -> None:
    told = {"direction": "inbound", "caller": "orders", "instance": "inventory-1", "trace": "0af7"}
    told |= also
    log.add(NOW, method=method, target=target, status=200, seconds=0.0031, attempts=1, **told)


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_line_has_ten_words(tmp_path, said):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    add(log)
    add(log, caller="", instance="", trace="")
    log.flush()
    assert (tmp_path / "log").read_text().splitlines() == [
        "1767225600123 inbound orders PUT /reservations/o-1 200 3100 inventory-1 1 0af7",
        "1767225600123 inbound - PUT /reservations/o-1 200 3100 - 1 -",
    ]
    assert not said


def test_nothing_is_written_before_the_flush_and_all_of_it_at_the_end(tmp_path, said):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    add(log)
    assert (tmp_path / "log").read_text() == ""
    log.close()
    assert (tmp_path / "log").read_text().count("\n") == 1


@pytest.mark.parametrize(
    "target",
    [
        "/a\r\nfake line",
        "/a\nb",
        "/a\x00b",
        "/a\x1b[31m",
        "/a b",
        "/\u2028b",
        "/\x85b",
        "/\ud800",
        "",
    ],
)
@pytest.mark.parametrize("field", ["target", "method"])
def test_what_a_stranger_wrote_stays_one_word_on_one_line(tmp_path, said, target, field):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    add(log, **{field: target})
    log.flush()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.isprintable()
    assert len(line.split(" ")) == 10
    assert not said


def test_a_long_target_is_cut(tmp_path, said):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    add(log, "/" + "a" * 100_000)
    add(log, "/ " + "a" * 100_000)
    log.flush()
    assert all(len(line) < 1200 for line in (tmp_path / "log").read_text().splitlines())


def test_many_lines_are_flushed_before_they_fill_the_memory(tmp_path, said, monkeypatch):
    monkeypatch.setattr(module, "MOST_PENDING", 10)
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    for _ in range(25):
        add(log)
    assert (tmp_path / "log").read_text().count("\n") == 20


def test_no_log_costs_and_writes_nothing(said):
    log = AccessLog(LogConfig(""), said.append)
    add(log)
    log.close()
    assert log.lost == 0
    assert not said


def test_after_a_rotation_lines_go_to_the_new_file(tmp_path, said):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    add(log)
    log.flush()
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.reopen()
    add(log)
    log.flush()
    assert (tmp_path / "log").read_text() == (tmp_path / "log.1").read_text()


@HAS_FULL
def test_on_a_full_disk_lines_are_lost_counted_and_told_once(said):
    log = AccessLog(LogConfig("/dev/full"), said.append)
    for _ in range(3):
        add(log)
        add(log)
        log.flush()
    assert log.lost == 6
    why = "access log /dev/full: No space left on device; lines are lost until that is mended"
    assert said == [why]


@HAS_FULL
def test_when_there_is_room_again_that_is_told_too(tmp_path, said):
    link = tmp_path / "log"
    link.symlink_to("/dev/full")
    log = AccessLog(LogConfig(str(link)), said.append)
    add(log)
    log.flush()
    link.unlink()
    log.reopen()
    add(log)
    log.flush()
    assert link.read_text().count("\n") == 1
    assert said[1:] == [f"access log {link}: written again, 1 lines lost so far"]


def test_a_folder_that_is_not_there_is_told_and_tried_again(tmp_path, said):
    path = tmp_path / "logs" / "log"
    log = AccessLog(LogConfig(str(path)), said.append)
    add(log)
    log.flush()
    assert log.lost == 1
    assert len(said) == 1
    path.parent.mkdir()
    add(log)
    log.flush()
    assert path.read_text().count("\n") == 1


def test_a_pipe_that_nobody_reads_stops_nobody(tmp_path, said):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        log = AccessLog(LogConfig(str(pipe)), said.append)
        for _ in range(5000):
            add(log)
        log.flush()  # and comes back: before anybody reads
        assert 0 < log.lost < 5000
        with suppress(BlockingIOError):
            while os.read(reader, 65536):
                pass
        add(log)
        add(log)
        log.flush()
        lines = os.read(reader, 65536).decode().split("\n")
        assert [len(line.split(" ")) for line in lines[-3:-1]] == [10, 10]
    finally:
        os.close(reader)


def test_a_line_that_was_torn_does_not_swallow_the_next(tmp_path, said, monkeypatch):
    log = AccessLog(LogConfig(str(tmp_path / "log")), said.append)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, raw: write(file, raw[:30]))
    rooms = iter([True, False])
    monkeypatch.setattr(log, "_has_room", lambda: next(rooms))
    add(log)
    log.flush()
    assert log.lost == 1
    monkeypatch.undo()
    add(log)
    log.flush()
    torn, whole = (tmp_path / "log").read_text().splitlines()
    assert len(torn) == 30
    assert len(whole.split(" ")) == 10
    assert log.lost == 1


def test_a_fifo_without_a_reader_does_not_stop_the_start(tmp_path, said):
    os.mkfifo(tmp_path / "pipe")
    log = AccessLog(LogConfig(str(tmp_path / "pipe")), said.append)
    add(log)
    log.flush()
    assert log.lost == 1


def test_stdout_is_written_to_and_stays_open(capfd, said):
    log = AccessLog(LogConfig("-"), said.append)
    add(log)
    log.close()
    print("still there", flush=True)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("1767225600123 inbound orders PUT")
