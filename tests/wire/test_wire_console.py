"""The lifeline of the wire's process: whatever happens while it starts, it ends with us."""

import signal
import subprocess

import pytest

from lab.wire import console
from lab.wire.console import Console


def test_an_interrupt_while_it_starts_leaves_no_process(monkeypatch):
    started: list[subprocess.Popen[bytes]] = []

    class Seen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(console.subprocess, "Popen", Seen)
    monkeypatch.setattr(Console, "_read_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Console("lab.wire", ["portable"])
    assert [process.returncode for process in started] == [-signal.SIGKILL]
