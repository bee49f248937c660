"""Who has started whom, and who has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def children_of(pid: int) -> set[int]:
    """The pids of the processes that this one has started and that are not buried yet."""
    tasks = Path(f"/proc/{pid}/task")
    if sys.platform != "linux":
        return {child for child, parent in _all() if parent == pid}
    try:
        told = [(task / "children").read_text() for task in tasks.iterdir()]
    except FileNotFoundError:
        return set()
    return {int(child) for line in told for child in line.split()}


def has_ended(pid: int) -> bool:
    """Whether all that it had open is closed, buried or not: SIGKILL works in its own time."""
    try:
        if sys.platform == "linux":
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        else:
            state = _ps("-o", "stat=", "-p", str(pid)).strip() or "Z"
    except (FileNotFoundError, ProcessLookupError, subprocess.CalledProcessError):
        return True
    return state[0] in "ZX"


def _all() -> list[tuple[int, int]]:
    listed = _ps("-A", "-o", "pid=,ppid=")
    return [(int(pid), int(parent)) for pid, parent in map(str.split, listed.splitlines())]


def _ps(*options: str) -> str:
    return subprocess.run(
        ["ps", *options],  # noqa: S607  (wherever this Unix has it)
        capture_output=True,
        text=True,
        check=True,
    ).stdout
