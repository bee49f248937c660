"""Two ways to call in a storm: trying again at once, and era 4's policies, the very objects."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any, Protocol

from lab import find
from lab.measure.storm import ANSWERED, TIMED_OUT, Attempt, Instance, World

TRY_TIMEOUT_S = 0.5
NAIVE_TRIES = 4


class Caller(Protocol):
    """Whoever sends a request until it is answered or given up."""

    answered: list[float]  # when each was

    def ask(self) -> None:
        """Begin with one request."""


class Naive:
    """Four tries, one right after the other, at the instances in turn."""

    def __init__(self, world: World, instances: Sequence[Instance]) -> None:
        self.answered: list[float] = []
        self._world = world
        self._instances = instances
        self._turn = 0

    def ask(self) -> None:
        self._try(NAIVE_TRIES)

    def _try(self, tries: int) -> None:
        def ended(how: str) -> None:
            if how == ANSWERED:
                self.answered.append(self._world.now)
            elif tries > 1:
                self._try(tries - 1)

        self._turn += 1
        attempt = Attempt(self._world.now + TRY_TIMEOUT_S, ended)
        self._world.after(TRY_TIMEOUT_S, attempt.end, TIMED_OUT)
        self._instances[self._turn % len(self._instances)].arrive(attempt)


class WithPolicies:
    """Era 4's client: budget, backoff, breakers and balancer with its own numbers."""

    def __init__(self, world: World, instances: Sequence[Instance], rng: Random) -> None:
        self.answered: list[float] = []
        self._world = world
        self._instances = instances
        self._config = policy("config").ClientConfig()
        retry = self._config.retry
        self._budget = policy("policies.budget").RetryBudget(retry.budget)
        self._backoff = policy("policies.backoff").Backoff(retry.backoff, rng)
        self._balancer = policy("policies.balancer").Balancer(self._config.balancer, rng)
        breaker = policy("policies.breaker").Breaker
        self._breakers = {each: breaker(self._config.breaker) for each in instances}

    def ask(self) -> None:
        self._budget.deposit(self._world.now)
        self._try(1, self._world.now + self._config.deadline_s, ())

    def _try(self, number: int, deadline_s: float, tried: tuple[Instance, ...]) -> None:
        now, usual_s = self._world.now, self._config.try_timeout_s
        allowed_s = min(usual_s, deadline_s - now)
        chosen = self._balancer.pick(
            self._instances, lambda each: self._breakers[each].admits(now), tried
        )
        breaker = self._breakers[chosen]
        permit = breaker.admit(now)  # None in a panic

        def ended(how: str) -> None:
            chosen.in_flight -= 1
            judgement = judge(how, allowed_s, usual_s)
            if permit:
                breaker.record(permit, judgement.verdict, self._world.now)
            if how == ANSWERED:
                self.answered.append(self._world.now)
            elif judgement.may_retry(True):
                self._retry(number, deadline_s, (*tried, chosen))

        attempt = Attempt(now + allowed_s, ended)
        chosen.in_flight += 1
        self._world.after(allowed_s, attempt.end, TIMED_OUT)
        chosen.arrive(attempt)

    def _retry(self, number: int, deadline_s: float, tried: tuple[Instance, ...]) -> None:
        if number >= self._config.retry.attempts or not self._budget.try_withdraw(self._world.now):
            return
        wait_s = self._backoff.wait_s(number - 1)
        if self._world.now + wait_s < deadline_s:
            self._world.after(wait_s, self._try, number + 1, deadline_s, tried)


def judge(how: str, allowed_s: float, usual_s: float) -> Any:
    """What era 4 makes of how an attempt ended."""
    errors = policy("errors")
    if how == ANSWERED:
        error = None
    else:
        error = errors.Timeout(how) if how == TIMED_OUT else errors.Overloaded(how)
    return policy("policies.classify").judge(error, allowed_s, usual_s)


@cache
def policy(name: str) -> Any:
    """A module of era 4, which is found, not known by name."""
    return importlib.import_module(f"{find.find('4').package}.{name}")
