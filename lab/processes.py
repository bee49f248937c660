"""Who has started whom, and who has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

ENDED, STILL = "ZX", "TtZX"


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
    if sys.platform == "linux":
        return _state(Path(f"/proc/{pid}")) in ENDED
    return _ps_state(pid) in ENDED


def stands_still(pid: int) -> bool:
    """Whether it has stopped, or ended, with every thread and what it started in its group.

    SIGSTOP, too, works in its own time, and until then a thread may answer once more.
    """
    tasks = Path(f"/proc/{pid}/task")
    try:
        group = os.getpgid(pid)
        is_still = (
            all(_state(task) in STILL for task in tasks.iterdir())
            if sys.platform == "linux"
            else _ps_state(pid) in STILL
        )
    except (FileNotFoundError, ProcessLookupError):
        return True
    return is_still and all(map(stands_still, _in_group(children_of(pid), group)))


def _in_group(pids: Iterable[int], group: int) -> Iterator[int]:
    for pid in pids:
        with suppress(ProcessLookupError):
            if os.getpgid(pid) == group:
                yield pid


def _state(place: Path) -> str:
    """Of a process or a thread, by its first letter: R runs, T stands still, Z has ended."""
    try:
        return (place / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _ps_state(pid: int) -> str:
    try:
        return (_ps("-o", "stat=", "-p", str(pid)).strip() or "Z")[0]
    except subprocess.CalledProcessError:
        return "X"


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
