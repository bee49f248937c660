"""Whom a request asks, and how often: retrying, balancing, breaking; thin shells around policies.

A policy decides and knows neither clock nor lock; a filter has both, and acts. No lock is held
while a call is under way. `stack.py` says in which order they stand, and why.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from random import Random

from era4_framework.config import BalancerConfig, ClientConfig, RetryConfig
from era4_framework.endpoints import Endpoint, Endpoints, Instance
from era4_framework.errors import CallFailed, CircuitOpen, NoAnswer, NoInstance
from era4_framework.policies.backoff import Backoff
from era4_framework.policies.balancer import Balancer, in_the_draw, rest_s
from era4_framework.policies.breaker import Verdict
from era4_framework.policies.budget import RetryBudget
from era4_framework.policies.classify import judge
from era4_framework.service import Learned, Request, Response, Service
from era4_framework.telemetry import Telemetry

Clock = Callable[[], float]


class Retrying:
    """Sends again what may be sent again, after a pause, as often as the common budget allows."""

    def __init__(
        self, config: RetryConfig, rng: Random, clock: Clock, sleep: Callable[[float], None]
    ) -> None:
        self._attempts = config.attempts
        self._backoff = Backoff(config.backoff, rng)
        self._budget = RetryBudget(config.budget)
        self._clock = clock
        self._sleep = sleep
        self._turn = threading.Lock()

    def __call__(self, request: Request, service: Service) -> Response:
        with self._turn:
            self._budget.deposit(self._clock())
        lost: NoAnswer | None = None
        while True:
            try:
                response = service(request)
                return replace(response, is_sure=False) if lost else response
            except CallFailed as error:
                failure = error
                lost = error if isinstance(error, NoAnswer) else lost
            pause_s, obstacle = self._judge(request, failure)
            if obstacle:
                raise _of_all_attempts(failure, lost, obstacle) from failure
            self._sleep(pause_s)
            request = replace(request, attempt=request.attempt + 1)

    def _judge(self, request: Request, failure: CallFailed) -> tuple[float, str]:
        """How long to wait before the next attempt, or why there is none; the first that holds.

        1. asking again is no use, or not safe   2. often enough   3. no time is left for it
        4. all requests together are sent again too often already
        """
        number = f"attempt {request.attempt}"
        if not judge(failure).may_retry(request.may_repeat):
            return 0.0, f"{number}, not to be sent again"
        if request.attempt >= self._attempts:
            return 0.0, f"{number} of {self._attempts}"
        now = self._clock()
        with self._turn:
            pause_s = self._backoff.wait_s(request.attempt - 1, request.learned.rest_s)
            if request.deadline and request.deadline.left_s(now) <= pause_s:
                return 0.0, f"{number}, and no time for another"
            if not self._budget.try_withdraw(now):
                return 0.0, f"{number}, and the retry budget is spent"
        return pause_s, ""


def _of_all_attempts(last: CallFailed, lost: NoAnswer | None, obstacle: str) -> CallFailed:
    """One attempt that may have been executed makes the fate of the whole request unknown."""
    if lost is None or lost is last:
        return last.saying(f"{last} ({obstacle})")
    return lost.saying(f"{last} ({obstacle}); before that, {lost}")


class Balancing:
    """Chooses the instance for each attempt."""

    def __init__(
        self,
        config: BalancerConfig,
        endpoints: Endpoints,
        instances: Callable[[], tuple[Instance, ...]],
        rng: Random,
        clock: Clock,
    ) -> None:
        """instances: the resolver's, asked for every attempt; it answers from what it knows."""
        self._balancer = Balancer(config, rng)
        self._endpoints = endpoints
        self._instances = instances
        self._clock = clock
        self._turn = threading.Lock()

    def __call__(self, request: Request, service: Service) -> Response:
        while True:
            endpoint, is_panic = self._choose(request)
            try:
                return service(replace(request, endpoint=endpoint, is_panic=is_panic))
            except CircuitOpen:
                pass  # another thread took the last probe's place: the next look will show it
            except CallFailed as error:
                self._learn(request.learned, endpoint, error)
                raise
            finally:
                with self._turn:
                    endpoint.in_flight -= 1

    def _choose(self, request: Request) -> tuple[Endpoint, bool]:
        """Who is asked, and whether in a panic: although its breaker says no, as all of them do."""
        now = self._clock()
        candidates = self._endpoints.of(self._instances())
        admits = {each: each.admits(now) for each in candidates}
        with self._turn:
            endpoint = self._balancer.pick(candidates, admits.__getitem__, request.learned.tried)
            if endpoint is None:
                raise NoInstance("no instance is known")
            endpoint.in_flight += 1
        return endpoint, not admits[endpoint]

    def _learn(self, learned: Learned, endpoint: Endpoint, error: CallFailed) -> None:
        """It was asked in vain: not again before others, nor sooner than it wants."""
        now = self._clock()
        learned.tried[endpoint] = now + error.retry_after_s
        candidates = self._endpoints.of(self._instances())
        drawn = in_the_draw(candidates, lambda each: each.admits(now), learned.tried)
        learned.rest_s = rest_s(drawn, learned.tried, now)


class Breaking:
    """Leaves an instance alone that keeps failing."""

    def __init__(
        self, config: ClientConfig, telemetry: Telemetry, callee: str, clock: Clock
    ) -> None:
        self._usual_s = config.try_timeout_s
        self._telemetry = telemetry
        self._callee = callee
        self._clock = clock

    def __call__(self, request: Request, service: Service) -> Response:
        endpoint = request.endpoint
        if endpoint is None:
            raise ValueError("no instance is chosen: the stack has no balancing above breaking")
        permit = endpoint.admit(self._clock())
        if permit is None and not request.is_panic:
            raise CircuitOpen(f"{endpoint.instance.name}: left alone, it failed too often")
        verdict = Verdict.IGNORED  # a fault of our own says nothing about the instance
        try:
            response = service(request)
            verdict = Verdict.SUCCESS
            return response
        except CallFailed as error:
            verdict = judge(error, request.timeout_s, self._usual_s).verdict
            raise
        finally:
            if permit:
                endpoint.settle(permit, verdict, self._clock())
            self._telemetry.attempt(self._callee, endpoint.instance.name, verdict.value)
