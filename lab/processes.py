"""Who has started whom."""

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


def _all() -> list[tuple[int, int]]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607  (wherever this Unix has it)
        capture_output=True,
        text=True,
        check=True,
    )
    return [(int(pid), int(parent)) for pid, parent in map(str.split, listed.stdout.splitlines())]
