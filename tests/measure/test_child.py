"""A long command is heard line by line, and its whole group ends with it."""

import os
import sys
import time

import pytest

from lab.measure import CannotMeasure
from lab.measure.child import lines

GRANDCHILD = (
    "import subprocess, sys;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True);"
    "child.wait()"
)
PATIENCE_S = 10.0


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_lines_come_as_they_are_said():
    assert list(lines(python("print('a'); print('b')"))) == ["a", "b"]


def test_a_command_that_fails_says_why():
    with pytest.raises(CannotMeasure, match="broken law"):
        list(lines(python("import sys; sys.exit('broken law')")))


def test_whoever_stops_listening_leaves_nothing_behind():
    heard = lines(python(GRANDCHILD))
    grandchild = int(next(heard))
    heard.close()
    gone_by = time.monotonic() + PATIENCE_S
    while is_running(grandchild) and time.monotonic() < gone_by:
        time.sleep(0.01)
    assert not is_running(grandchild)
