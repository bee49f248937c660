"""What `eras measure` prints, and how it ends: with all of it, with a part, on Ctrl-C."""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from lab import __main__ as eras
from lab.find import ROOT
from lab.measure import Interrupted, command, start
from lab.screen import WIDEST


def figure(name: str, **changed: Any) -> dict[str, Any]:
    usual = {"ours": 0.01405, "unit": "CPU s/MB", "peer": 0.0007524, "ratio": 0.006549}
    return {"name": name, **usual, "peer_name": "the better of cubic and bbr", **changed}


def measured(*names: str, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    figures = [figure(name) for name in names]
    return {"machine": {}, "conditions": {}, "missing": list(missing), "figures": figures}


@pytest.fixture
def measuring(monkeypatch):
    """Returns a function that makes `eras measure start` give (or raise) something."""

    def make(given: Any) -> None:
        def run(quick: bool, progress: Any, only: str) -> dict[str, Any]:
            if isinstance(given, BaseException):
                raise given
            return given

        monkeypatch.setattr(start, "run", run)

    return make


def test_the_table_fits_and_names_are_whole():
    name = "transport/goodput/unlimited/100ms/20%/best-kernel"
    lines = list(command.table([figure(name, met=False), figure("a/b", peer=None, ratio=None)]))
    assert max(map(len, lines)) <= WIDEST
    assert lines[1] == "transport/goodput/unlimited/100ms/20%/"
    assert lines[2].split()[0] == "best-kernel"
    assert lines[2].endswith("missed")


def test_figures_that_differ_in_the_last_part_stand_together():
    lines = list(command.table([figure("a/b/c"), figure("a/b/d"), figure("e/c")]))
    assert [line.split()[0] for line in lines[1:]] == ["a/b/", "c", "d", "e/", "c"]


def test_ctrl_c_keeps_and_shows_what_there_is_and_exits_130(measuring, tmp_path, capsys):
    record = tmp_path / "record.json"
    measuring(Interrupted(measured("start/0", missing=("start/1",))))
    assert eras.main(["measure", "start", "--record", str(record)]) == 130
    shown = capsys.readouterr()
    assert "start/" in shown.out
    assert shown.err == "interrupted; nothing is left running\n"
    assert [one["name"] for one in json.loads(record.read_text())["figures"]] == ["start/0"]


def test_ctrl_c_before_the_first_figure_leaves_no_record(measuring, tmp_path, capsys):
    record = tmp_path / "record.json"
    measuring(Interrupted(measured(missing=("start/0",))))
    assert eras.main(["measure", "start", "--record", str(record)]) == 130
    assert not record.exists()
    assert capsys.readouterr().out == ""


def test_ctrl_c_exits_130_also_if_the_record_is_of_another_machine(measuring, tmp_path, capsys):
    record = tmp_path / "record.json"
    record.write_text(json.dumps(measured("start/1") | {"conditions": {"quick": True}}))
    measuring(Interrupted(measured("start/0", missing=("start/1",))))
    assert eras.main(["measure", "start", "--record", str(record)]) == 130
    assert "another kind" in capsys.readouterr().err


def test_a_figure_that_failed_is_exit_code_1(measuring, tmp_path):
    measuring(measured("start/0", missing=("start/1",)))
    assert eras.main(["measure", "start", "--record", str(tmp_path / "r.json")]) == 1
    assert eras.main(["measure", "start", "--record", str(tmp_path / "r.json"), "--only", "0"]) == 0


def test_a_real_ctrl_c_ends_a_real_measurement():
    command_line = [sys.executable, "-m", "lab", "measure", "start", "--quick", "--only", "/0/"]
    with subprocess.Popen(
        command_line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as measuring:
        assert measuring.stderr
        measuring.stderr.readline()  # it has begun
        measuring.send_signal(signal.SIGINT)
        _, told = measuring.communicate(timeout=30)
    assert measuring.returncode == 130
    assert told.endswith("interrupted; nothing is left running\n")
