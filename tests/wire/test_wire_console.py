"""The lifeline of the wire's process: whatever happens while it starts, it ends with us."""

import os
import signal
import subprocess

import pytest

from lab.wire import console
from lab.wire.console import Console, WireError


@pytest.fixture
def started(monkeypatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a console starts."""
    seen: list[subprocess.Popen[bytes]] = []

    class Seen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            seen.append(self)

    monkeypatch.setattr(console.subprocess, "Popen", Seen)
    return seen


def test_an_interrupt_while_it_starts_leaves_no_process(monkeypatch, started):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Console, "_read_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Console("lab.wire", ["portable"])
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_a_wire_that_hangs_is_given_up_and_ended(monkeypatch, started):
    wire = Console("lab.wire", ["portable"])
    os.kill(wire.pid, signal.SIGSTOP)
    monkeypatch.setattr(console, "ANSWER_TIMEOUT_S", 0.1)
    with pytest.raises(WireError, match=r"silent for 0\.1 s, and was ended"):
        wire.ask({"do": "stats"})
    with pytest.raises(WireError, match="has ended"):
        wire.ask({"do": "stats"})
    wire.close()
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_a_wire_that_never_gets_ready_is_given_up_and_ended(monkeypatch, started):
    monkeypatch.setattr(console, "ANSWER_TIMEOUT_S", 0.001)
    with pytest.raises(WireError, match=r"silent for 0\.001 s, and was ended"):
        Console("lab.wire", ["portable"])
    assert [process.returncode for process in started] == [-signal.SIGKILL]
