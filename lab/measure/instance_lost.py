"""One of three instances lost under steady load: killed, or hung with its sockets open.

Whoever is killed refuses the next connection, so all that can fail is what was under way. Whoever
hangs refuses nothing: each request costs a timeout until breakers or leases have learned of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.launch import RoleFailed
from lab.measure import CannotMeasure
from lab.measure.figure import Figure, Target, alone, compare, compare_percentile, total
from lab.measure.load import Asked, Load, due_within
from lab.measure.recovery import course, p99_s, recovered_after_s
from lab.measure.turns import Part, Step
from lab.stage import Stage

ERAS = ("4", "3")  # ours and the peer, where the two are compared
FAULTS = ("killed", "hung")
ROUNDS = 5
INSTANCES = 3
RATE_PER_S = 120.0
WARM_UP_S, HEALTHY_S, LOOK_S = 1.0, 4.0, 5.0
QUICK_HEALTHY_S, QUICK_LOOK_S = 2.0, 3.0
START_S = 2.5  # only for the estimate of the time left
EDGE_S = 0.5  # of the course in time
CONDITIONS = {
    "load": f"{RATE_PER_S:.0f} orders/s at even intervals; latency counts from when an order is "
    "due, also if those before it are still under way",
    "lost": f"one of {INSTANCES} inventories: kill -9, or SIGSTOP",
    "recovery": "seconds from the fault until in each second the p99 is under twice the healthy",
}


@dataclass(frozen=True)
class Lost:
    """What the customers of one round saw before and after the fault."""

    before: Sequence[Asked]
    after: Sequence[Asked]
    fault_s: float
    end_s: float

    @property
    def failed(self) -> int:
        return sum(one.is_failed for one in (*self.before, *self.after))

    @property
    def recovered_after_s(self) -> float:
        return recovered_after_s(self.after, self.fault_s, self.end_s, p99_s(self.before))


def parts(quick: bool) -> list[Part]:
    """Return one part per fault: both eras take turns."""
    if quick:
        return [_part(fault, 1, QUICK_HEALTHY_S, QUICK_LOOK_S) for fault in FAULTS]
    return [_part(fault, ROUNDS, HEALTHY_S, LOOK_S) for fault in FAULTS]


def _part(fault: str, rounds: int, healthy_s: float, look_s: float) -> Part:
    cost_s = START_S + WARM_UP_S + healthy_s + look_s

    def run(step: Step) -> list[Figure]:
        seen: dict[str, list[Lost]] = {era: [] for era in ERAS}
        for number in range(rounds):
            for era in ERAS:
                lost = lose(era, fault, number, healthy_s, look_s)
                seen[era].append(lost)
                said = f"{lost.failed} of {len(lost.after)} failed"
                step(f"era {era}, one of {INSTANCES} {fault}, round {number + 1}: {said}", cost_s)
        return figures(fault, seen, look_s)

    return Part(names(fault, look_s), cost_s * rounds * len(ERAS), run)


def lose(era: str, fault: str, number: int, healthy_s: float, look_s: float) -> Lost:
    """Play one round: load, after `healthy_s` the fault, `look_s` more of load.

    Raises CannotMeasure if the era does not start, or fails orders before it is hurt.
    """
    lost = f"inventory-{1 + number % INSTANCES}"
    try:
        with (
            Stage(era, traced=False, seed=number, instances=INSTANCES) as stage,
            Load(stage.customer, RATE_PER_S, f"load-{number}") as load,
        ):
            time.sleep(WARM_UP_S + healthy_s)
            fault_s = time.monotonic()
            (stage.kill if fault == "killed" else stage.pause)(lost)
            time.sleep(look_s)
            end_s = time.monotonic()
            asked = load.stop()
    except RoleFailed as failure:
        raise CannotMeasure(f"era {era}: {failure}") from failure
    before = due_within(asked, fault_s - healthy_s, fault_s)
    failed = sum(one.is_failed for one in before)
    if failed or not before:
        too_much = f"{failed} of {len(before)} orders failed before anything was hurt"
        raise CannotMeasure(f"era {era}: {too_much}: this machine has no room for the load")
    return Lost(before, due_within(asked, fault_s, end_s), fault_s, end_s)


def names(fault: str, look_s: float) -> tuple[str, ...]:
    """Return the names of the figures that a fault yields."""
    each = tuple(
        f"stack/{fault}/era-{era}/{label}"
        for era in ERAS
        for label in ("failed", "p99-after", "recovery")
    )
    return (*each, *(f"stack/{fault}/p99-from/era-3/{begin:g}s" for begin in begins_s(look_s)))


def begins_s(look_s: float) -> list[float]:
    """Where the steps of the course in time begin, in seconds from the fault."""
    return [number * EDGE_S for number in range(-2, round(look_s / EDGE_S))]


def figures(fault: str, seen: Mapping[str, Sequence[Lost]], look_s: float) -> list[Figure]:
    """Return the figures of one fault from each era's rounds."""
    found = [figure for era in ERAS for figure in _of_era(fault, era, seen[era])]
    begins = begins_s(look_s)
    courses = {era: [_course_ms(lost, begins) for lost in seen[era]] for era in ERAS}
    for place, begin in enumerate(begins):
        ours, peer = ([course[place] for course in courses[era]] for era in ERAS)
        name = f"stack/{fault}/p99-from/era-3/{begin:g}s"
        found.append(compare_percentile(name, "ms", 0.99, ours, peer, "era 3"))
    return found


def _of_era(fault: str, era: str, rounds: Sequence[Lost]) -> list[Figure]:
    name = f"stack/{fault}/era-{era}"
    asked = sum(len(lost.before) + len(lost.after) for lost in rounds)
    healthy_ms = [p99_s(lost.before) * 1000 for lost in rounds]
    after_ms = [p99_s(lost.after) * 1000 for lost in rounds]
    return [
        total(
            f"{name}/failed",
            "orders",
            [lost.failed for lost in rounds],
            Target("ours", at_most=0),
            note=f"of {asked} in all rounds together",
        ),
        compare(f"{name}/p99-after", "ms", after_ms, healthy_ms, "before the fault"),
        alone(
            f"{name}/recovery",
            "s",
            [lost.recovered_after_s for lost in rounds],
            Target("ours", at_most=2) if fault == "hung" else None,
        ),
    ]


def _course_ms(lost: Lost, begins: Sequence[float]) -> list[list[float]]:
    edges = [*begins, begins[-1] + EDGE_S]
    steps = course([*lost.before, *lost.after], lost.fault_s, edges)
    return [[1000 * took_s for took_s in step] for step in steps]
