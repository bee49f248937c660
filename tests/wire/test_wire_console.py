"""The lifeline of the wire's process: whatever happens while it starts, it ends with us."""

import os
import signal

import pytest

from lab import warm
from lab.launch import Process
from lab.wire import console
from lab.wire.console import Console, WireError


@pytest.fixture(params=["cold", "warm"])
def started(request, monkeypatch) -> list[Process]:
    """The processes that a console starts: new ones, or forks as most of this suite's are."""
    if request.param == "warm" and warm._shared is None:
        pytest.skip("--cold")
    seen: list[Process] = []
    fork, start_cold = warm.fork, console.start_cold

    def forks(*arguments):
        forked = fork(*arguments) if request.param == "warm" else None
        seen.extend([forked] if forked else [])
        return forked

    def starts(*arguments):
        seen.append(start_cold(*arguments))
        return seen[-1]

    monkeypatch.setattr(warm, "fork", forks)
    monkeypatch.setattr(console, "start_cold", starts)
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
