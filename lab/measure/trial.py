"""One trial: two hosts, the wire between them, a process at each end of each flow.

Everything is made for the trial and gone after it, however it ends. The active end (it sends or
asks) is in orders' host, the passive one in inventory's; both directions have the same faults.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.measure.queueing import waits_s
from lab.measure.side import Side
from lab.wire import Knobs
from lab.wire.process import WireProcess

FIRST_PORT = 7000
START_UP_S = 20.0  # patience with an interpreter that starts on a busy machine
CONNECT_S = 15.0  # a handshake that loses four SYNs in a row takes the kernel that long
STOP_S = 5.0


@dataclass(frozen=True)
class Flow:
    """One contestant between the hosts, which starts `start_after_s` after the first."""

    contestant: str
    start_after_s: float = 0.0


@dataclass(frozen=True)
class Task:
    """What the two ends of a flow do; the other end is stopped when `ends` has reported."""

    active: str  # role in orders' host, told to start
    passive: str  # role in inventory's host, stands first
    ends: str
    options: tuple[str, ...]
    longest_s: float


@dataclass(frozen=True)
class Outcome:
    """What both ends of each flow reported, and what the wire did in each direction."""

    active: tuple[dict[str, Any], ...]
    passive: tuple[dict[str, Any], ...]
    wire: dict[str, dict[str, int]]
    queued_s: tuple[float, ...] = ()  # each frame's wait for the slow link, if traced


def bulk(duration_s: float) -> Task:
    """A stream, counted by the receiver for `duration_s` from its first byte."""
    options = ("--duration-s", str(duration_s))
    return Task("bulk-send", "bulk-receive", "passive", options, duration_s + CONNECT_S)


def requests(count: int, longest_s: float) -> Task:
    """`count` requests, each after the answer to the one before it."""
    return Task("ask", "answer", "active", ("--count", str(count)), longest_s)


def play(
    task: Task,
    flows: Sequence[Flow],
    knobs: Knobs,
    seed: int,
    queue_from_s: float | None = None,
) -> Outcome:
    """Run `flows` at once over one wire and return the reports.

    With `queue_from_s` the wire is traced, and the waits for the slow link are returned of all
    frames sent so long after the first one.

    Raises TrialFailed if a process does not start or report, and what the wire raises where this
    machine has no real interfaces.
    """
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="eras-measure-"))
        trace = Path(directory) / "wire.jsonl" if queue_from_s is not None else None
        wire = stack.enter_context(WireProcess.real(knobs, seed=seed, trace_path=trace))
        pairs = [
            _pair(stack, wire, flow, task, port) for port, flow in enumerate(flows, FIRST_PORT)
        ]
        for active, passive in pairs:
            passive.wait_until_ready(START_UP_S)
            active.wait_until_ready(START_UP_S)
        _start(pairs, flows)
        reports = [_reports(task, active, passive) for active, passive in pairs]
        stats = wire.stats()
        wire.close()
        queued_s = waits_s(trace, knobs, queue_from_s or 0.0) if trace else ()
    return Outcome(tuple(a for a, _ in reports), tuple(p for _, p in reports), stats, queued_s)


def _pair(
    stack: contextlib.ExitStack, wire: WireProcess, flow: Flow, task: Task, port: int
) -> tuple[Side, Side]:
    """Start the active and the passive end of a flow."""
    ends = ((task.active, wire.orders, wire.inventory), (task.passive, wire.inventory, wire.orders))
    deadline_s = str(START_UP_S + task.longest_s)
    options = ("--port", str(port), "--deadline-s", deadline_s, *task.options)
    active, passive = (
        Side(
            me.argv_prefix(),
            (flow.contestant, role, "--me", me.address, "--peer", peer.address, *options),
        )
        for role, me, peer in ends
    )
    return stack.enter_context(active), stack.enter_context(passive)


def _start(pairs: Sequence[tuple[Side, Side]], flows: Sequence[Flow]) -> None:
    began = time.monotonic()
    order = sorted(zip(flows, pairs, strict=True), key=lambda item: item[0].start_after_s)
    for flow, (active, _) in order:
        time.sleep(max(0.0, began + flow.start_after_s - time.monotonic()))
        active.start()


def _reports(task: Task, active: Side, passive: Side) -> tuple[dict[str, Any], dict[str, Any]]:
    patience_s = START_UP_S + task.longest_s + STOP_S
    if task.ends == "passive":
        received = passive.report(patience_s)
        active.stop()
        return active.report(STOP_S), received
    asked = active.report(patience_s)
    passive.stop()
    return asked, passive.report(STOP_S)
