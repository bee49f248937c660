"""What a process group costs, read from /proc: processor time and resident memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from lab.measure import CannotMeasure

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
FORGET_THE_PEAK = "5"  # proc(5), clear_refs


def require_proc() -> None:
    """Raise CannotMeasure where there is no /proc."""
    if not (PROC / "self" / "stat").exists():
        raise CannotMeasure("processor time and memory of other programs are read from /proc")


def cpu_s(group: int) -> float:
    """User and system time of all living processes of the group, their ended threads included."""
    # proc(5): fields 14 and 15 of stat; the name before them may hold spaces
    return sum(float(fields[11]) + float(fields[12]) for _, fields in _members(group)) / TICKS_PER_S


def resident_bytes(group: int) -> int:
    """What of the group's memory is in RAM now; shared pages count for each process."""
    return sum(_kib(pid, "VmRSS") for pid, _ in _members(group)) * 1024


class Peak:
    """By how much the resident memory of some groups has exceeded what it was at first."""

    def __init__(self, groups: Sequence[int]) -> None:
        self._groups = groups
        for group in groups:
            for pid, _ in _members(group):
                (PROC / str(pid) / "clear_refs").write_text(FORGET_THE_PEAK)
        self._before = sum(map(resident_bytes, groups))

    def growth_bytes(self) -> int:
        """The largest so far; each process at its own peak."""
        pids = [pid for group in self._groups for pid, _ in _members(group)]
        return sum(_kib(pid, "VmHWM") for pid in pids) * 1024 - self._before


def _members(group: int) -> Iterator[tuple[int, list[str]]]:
    """Each process of the group, and what its stat says from the third field on."""
    for place in PROC.iterdir():
        if not place.name.isdecimal():
            continue
        with suppress(OSError):  # it may end while we look
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                yield int(place.name), fields


def _kib(pid: int, key: str) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0
