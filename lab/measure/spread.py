"""Medians, percentiles and fairness: the little statistics that every measurement shares.

Means are not used for comparisons: one stall of a second among a thousand requests moves a mean
and says nothing about the other 999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the middle two.

    Raises ValueError if there are no values.
    """
    if not values:
        raise ValueError("the median of no values: at least one is needed")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the smallest value that at least `fraction` (0..1] of all values do not exceed.

    This is the nearest-rank definition: the answer is always a value that really occurred.
    Raises ValueError if there are no values or `fraction` is outside 0..1.
    """
    if not values:
        raise ValueError("a percentile of no values: at least one is needed")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}: accepted is a number above 0 and up to 1")
    return sorted(values)[math.ceil(fraction * len(values)) - 1]


def jain(shares: Sequence[float]) -> float:
    """Return Jain's fairness index of `shares`: 1 is equal, 1/n is one taking everything.

    R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness and Discrimination for Resource
    Allocation in Shared Computer Systems, DEC-TR-301, 1984.
    Raises ValueError if there are no shares or all are zero.
    """
    squares = sum(share * share for share in shares)
    if not squares:
        raise ValueError(f"Jain's index of {list(shares)}: at least one share must not be zero")
    return sum(shares) ** 2 / (len(shares) * squares)
