"""How soon after a fault the shop is as fast as before, from what the customers saw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lab.measure.load import Asked, due_within
from lab.measure.spread import percentile

SLOW = 2.0  # times the p99 from before the fault
WINDOW_S = 1.0  # a p99 needs a hundred orders
STEP_S = 0.1


def p99_s(asked: Sequence[Asked]) -> float:
    """The p99 of their latencies; ValueError if there are none."""
    return percentile([one.took_s for one in asked], 0.99)


def recovered_after_s(
    asked: Sequence[Asked], fault_s: float, end_s: float, healthy_p99_s: float
) -> float:
    """Return the seconds from the fault to lasting speed; all until `end_s` if it never came.

    From there on, in each second until `end_s`, the p99 of the orders that fell due in it is less
    than twice the healthy one.
    """
    recovered_s = end_s - fault_s
    for number in range(int((recovered_s - WINDOW_S) / STEP_S), -1, -1):
        begin_s = fault_s + number * STEP_S
        window = due_within(asked, begin_s, begin_s + WINDOW_S)
        if not window or p99_s(window) >= SLOW * healthy_p99_s:
            break
        recovered_s = number * STEP_S
    return recovered_s


def course(asked: Sequence[Asked], fault_s: float, edges_s: Sequence[float]) -> list[list[float]]:
    """The latencies of the orders that fell due between each two of `edges_s` after the fault."""
    return [
        [one.took_s for one in due_within(asked, fault_s + begin, fault_s + end)]
        for begin, end in pairwise(edges_s)
    ]
