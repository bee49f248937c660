"""The operator's command, as a process: interrupted, read by nobody, and not answered."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from era6_control_plane import mesh, mesh_client
from tests.era6.operators import PATIENCE_S, TOKEN, desk

ROOT = Path(__file__).parents[2]
ONE = "[services.a]\n"
INTERRUPTED, NOT_READ = 130, 141


@pytest.fixture
def near(tmp_path):
    with desk(tmp_path) as each:
        yield each


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(TOKEN)
    return path


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(ONE)
    return path


@contextmanager
def mute() -> Iterator[socket.socket]:
    """Takes connections, as a process that is frozen does, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def url_of(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname())


@contextmanager
def typed(at: str, token: Path, *words: str, out: int = subprocess.PIPE):
    """The command, begun; killed at the end of the block."""
    told = {**os.environ, "ERAS_MESH": at, "ERAS_MESH_TOKEN": str(token)}
    told.pop("PYTHONUNBUFFERED", None)  # it would hide what happens as Python ends
    argv = [sys.executable, "-m", "era6_control_plane", "mesh", *words]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=told, stdout=out, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_is_not_told_that_it_was_done(number, token, file):
    with (
        mute() as listener,
        typed(url_of(listener), token, "apply", str(file)) as process,
        listener.accept()[0],  # so it waits for the answer
    ):
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (INTERRUPTED, "")


def test_who_reads_no_further_is_not_told_of_it(near, token):
    near.ruling.apply(ONE, "ada")
    reads, writes = os.pipe()
    os.close(reads)
    with typed(near.address, token, "history", out=writes) as process:
        os.close(writes)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (NOT_READ, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_where_nothing_can_be_written_it_is_told(near, token):
    near.ruling.apply(ONE, "ada")
    with (
        open("/dev/full", "w") as full,
        typed(near.address, token, "history", out=full.fileno()) as process,
    ):
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (2, "eras mesh history: stdout: No space left on device\n")


def test_what_is_accepted_is_told_before_anybody_is_waited_for(near, token, file):
    near.behind.settle.clear()
    with typed(near.address, token, "apply", str(file), "--wait", "60") as process:
        assert process.stdout.readline() == "revision 1\n"
        near.behind.settle.set()
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert "obeyed by" in out


# In this process: no signal is in them.


def command(at: str, token: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        mesh.main(["--at", at, "--token-file", str(token), *words], lambda address: None)
    return ended.value.code


@pytest.mark.parametrize("wait", ["nan", "-1", "61", "inf", "x"])
def test_a_wait_that_cannot_be_is_refused_before_anything_is_done(near, token, file, wait, capsys):
    assert command(near.address, token, "apply", str(file), f"--wait={wait}") == 2
    assert near.ruling.revision is None
    assert "argument --wait: " in capsys.readouterr().err


def test_who_is_there_and_silent_is_not_said_to_be_away(token, file, capsys, monkeypatch):
    monkeypatch.setattr(mesh_client, "PATIENCE_S", 0.1)
    with mute() as listener:
        at = url_of(listener)
        assert command(at, token, "status") == 2
        silent = f"the control plane at {at} has not answered in 0.1 s"
        assert capsys.readouterr().err == f"eras mesh status: {silent}\n"
        assert command(at, token, "apply", str(file)) == 2
        late = "; it may do it yet: its history tells"
        assert capsys.readouterr().err == f"eras mesh apply: {silent}{late}\n"


def test_a_difference_is_told_with_the_files_own_name(near, token, file, capsys):
    near.ruling.apply("# another\n" + ONE, "ada")
    assert command(near.address, token, "diff", str(file)) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["--- revision 1", f"+++ {file}"]


def test_what_comes_by_stdin_is_called_so(near, token, capsys, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert command(near.address, token, "apply", "-") == 1
    assert capsys.readouterr().err.startswith("eras mesh apply: stdin, line 1: services is missing")
