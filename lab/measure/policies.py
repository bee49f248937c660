"""`eras measure policies`: what each decision of a policy costs, beside a method that does nothing.

A policy is asked several times per request, under a lock; its price must vanish beside that of a
request. Time passes between the calls (the clock is a counter), so windows move and buckets fill.
"""

from __future__ import annotations

import importlib
import itertools
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from lab import find
from lab.measure import CannotMeasure
from lab.measure.figure import Figure, Target, compare
from lab.measure.turns import Part, Step
from lab.measure.whole import measure

ERA = "4"
ROUNDS = 9
REPEATS = 50_000
ROUND_S = 0.08  # planned for one round of one decision, both sides
BETWEEN_S = 1e-5  # of virtual time between two calls
EMPTY, EMPTY_NAME = "empty.method(next(ticks))", "an empty method"
AT_MOST_A_MICROSECOND = Target("ours", at_most=1000.0)
CONDITIONS = {
    "side": f"a statement, {REPEATS} times in a loop (timeit), garbage collection off",
    "time": "of the processor, for this thread: a decision never waits",
    "turns": "in each round first the empty method, then the decision; a warm-up first",
    "clock": "a counter that both sides read; reading it is part of both figures",
}

DECISIONS = {  # name of the figure: what is timed
    "breaker/admit-record": "breaker.record(breaker.admit(next(ticks)), success, 0.0)",
    "breaker/admit-record-share": "watching.record(watching.admit(0.0), success, next(ticks))",
    "breaker/refuse": "opened.admit(next(ticks))",
    "balancer/pick-of-3": "now = next(ticks); p2c.pick(three, lambda each: each.admits(now))",
    "balancer/turn-of-3": "now = next(ticks); turns.pick(three, lambda each: each.admits(now))",
    "bucket/try-take": "bucket.try_take(next(ticks))",
    "bucket/refuse": "emptied.try_take(next(ticks))",
    "budget/deposit": "budget.deposit(next(ticks))",
    "budget/try-withdraw": "budget.try_withdraw(next(ticks))",
    "deadline/parse": "Deadline.parse('2999', next(ticks))",
    "deadline/left": "deadline.left_s(next(ticks))",
    "deadline/header": "deadline.header(next(ticks))",
    "classify/status": "kind_of(503, next(ticks) > 0)",
    "classify/error": "judge(silence, 0.5, next(ticks))",
    "backoff/wait": "next(ticks); backoff.wait_s(2)",
    "shedder/enter-leave": "next(ticks); shedder.try_enter(); shedder.leave()",
}


class Empty:
    """The least that any decision costs in this language: a call of a method."""

    def method(self, now: float) -> None:
        """Nothing."""


@dataclass(eq=False)
class Candidate:
    """An instance as a balancer sees it."""

    in_flight: int
    admits: Callable[[float], bool]


def parts(quick: bool) -> list[Part]:
    """Return one part per decision."""
    rounds = 1 if quick else ROUNDS
    return [_part(f"policies/{name}", statement, rounds) for name, statement in DECISIONS.items()]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is one round."""
    return measure(parts(quick), CONDITIONS | {"quick": quick}, progress, only)


def _part(name: str, statement: str, rounds: int) -> Part:
    def run(step: Step) -> list[Figure]:
        names = stage()
        taken: list[tuple[float, float]] = []
        for number in range(rounds + 1):
            taken.append((nanoseconds(EMPTY, names), nanoseconds(statement, names)))
            step(f"{name}, round {number}" if number else f"{name}, warm-up", ROUND_S)
        empty, ours = zip(*taken[1:], strict=True)
        return [compare(name, "ns", ours, empty, EMPTY_NAME, AT_MOST_A_MICROSECOND, note=statement)]

    return Part((name,), ROUND_S * (rounds + 1), run)


def nanoseconds(statement: str, names: dict[str, Any]) -> float:
    """Return the mean processor time of `statement`, which may use `names`, in ns."""
    timer = timeit.Timer(statement, globals=names, timer=time.thread_time)
    return timer.timeit(REPEATS) / REPEATS * 1e9


def stage() -> dict[str, Any]:
    """Return what the statements use, made anew: policies in the state that is to be measured.

    Raises CannotMeasure if the era with the policies is not here.
    """
    config, breaker = _module("config"), _module("policies.breaker")
    closed = [breaker.Breaker(config.BreakerConfig()) for _ in range(3)]
    opened = breaker.Breaker(config.BreakerConfig(consecutive_failures=1, cool_down_s=300.0))
    opened.record(opened.admit(0.0), breaker.Verdict.FAILURE, 0.0)
    quota = config.QuotaConfig(rate_per_s=1e6, burst=1e6)
    emptied = _module("policies.bucket").TokenBucket(config.QuotaConfig(rate_per_s=0.001, burst=1))
    emptied.try_take(0.0)
    balancer = _module("policies.balancer").Balancer
    plenty = config.BudgetConfig(min_retries_per_s=1e6, ttl_s=60.0)
    return {
        "ticks": itertools.count(0.0, BETWEEN_S),
        "empty": Empty(),
        "breaker": breaker.Breaker(config.BreakerConfig()),
        "watching": breaker.Breaker(config.BreakerConfig(failure_percent=50)),
        "opened": opened,
        "success": breaker.Verdict.SUCCESS,
        "three": [Candidate(number, each.admits) for number, each in enumerate(closed)],
        "p2c": balancer(config.BalancerConfig("p2c"), Random(7)),
        "turns": balancer(config.BalancerConfig("round_robin"), Random(7)),
        "bucket": _module("policies.bucket").TokenBucket(quota),
        "emptied": emptied,
        "budget": _module("policies.budget").RetryBudget(plenty),
        "Deadline": _module("policies.deadline").Deadline,
        "deadline": _module("policies.deadline").Deadline.after(0.0, 3.0),
        "kind_of": _module("policies.classify").kind_of,
        "judge": _module("policies.classify").judge,
        "silence": _module("errors").Timeout("silence"),
        "backoff": _module("policies.backoff").Backoff(config.BackoffConfig(), Random(7)),
        "shedder": _module("policies.shedder").Shedder(12),
    }


def _module(name: str) -> Any:  # an era is found, not known by name
    try:
        return importlib.import_module(f"{find.find(ERA).package}.{name}")
    except find.UnknownEra as missing:
        raise CannotMeasure(f"the policies belong to era {ERA}: {missing}") from missing
