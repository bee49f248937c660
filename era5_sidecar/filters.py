"""What stands before a request: era 4's policies, unchanged, around a proxy instead of a function.

Admission is for requests that come in to our service; a Call is one that goes out to another. Both
only decide: `now` is an argument, and nobody here waits, writes or reads a socket. Both in one
file, a long one, as they are two halves of one stack.
"""

from __future__ import annotations

import re

from era4_framework.errors import (
    CallFailed,
    DeadlinePassed,
    Denied,
    NoAnswer,
    NoInstance,
    NotKnown,
    Overloaded,
    QuotaExceeded,
)
from era4_framework.policies.balancer import in_the_draw, rest_s
from era4_framework.policies.breaker import Permit, Verdict
from era4_framework.policies.bucket import TokenBucket
from era4_framework.policies.classify import judge
from era4_framework.policies.deadline import BadDeadline, Deadline
from era5_sidecar.config import ANYONE, InboundConfig
from era5_sidecar.endpoint import Endpoint
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import RequestHead
from era5_sidecar.ways import Way

# Spellings of a path that some servers resolve and others do not: what we allow must be what our
# service reads (RFC 3986, section 6.2.2). Where only a part of it is allowed, these are refused.
TWO_READINGS = re.compile(rb"//|/\.\.?(?:[/;]|$)|%2e|%2f|%3b|%5c|\\", re.IGNORECASE)


class Admission:
    """Whether a request may come in: the order of era 4's server stack, for the same reasons."""

    def __init__(self, config: InboundConfig) -> None:
        self.in_flight = 0
        self._config = config
        self._quotas: dict[str, TokenBucket] = {}
        self.obey(config)

    def obey(self, config: InboundConfig) -> None:
        """From now on; whose quota has not changed has what is left of it."""
        before = self._config.quotas
        kept = {
            who: each for who, each in self._quotas.items() if before[who] == config.quotas.get(who)
        }
        self._quotas = {
            who: kept.get(who) or TokenBucket(quota) for who, quota in config.quotas.items()
        }
        self._config = config
        self._allowed: dict[tuple[str, bytes], tuple[bytes, ...]] = {}

    def admit(self, caller: str, request: RequestHead, now: float) -> Deadline:
        """Until when it is to be answered; who goes on with it adds 1 to `in_flight` until then.

        caller: the name in its certificate, or empty. Raises Overloaded, NotKnown, Denied,
        QuotaExceeded, DeadlinePassed, BadMessage.
        """
        config = self._config
        if self.in_flight >= config.most_in_flight:
            raise Overloaded(f"{self.in_flight} requests are under way, as many as may be")
        self._authorise(caller, request)
        bucket = self._quotas.get(caller) or self._quotas.get(ANYONE)
        if bucket is not None and not bucket.try_take(now):
            raise QuotaExceeded(f"the quota of {caller or 'customers'} is used up for now",
                                bucket.retry_after_s(now))  # fmt: skip
        told = request.special.get(b"x-deadline-ms")
        if told is None:
            return Deadline.after(now, config.deadline_s)
        return _sooner(told, config.deadline_s, now)

    def look_again(self, deadline: Deadline, now: float) -> None:
        """A body may take long to arrive, and others come in meanwhile.

        Raises Overloaded, DeadlinePassed.
        """
        if self.in_flight > self._config.most_in_flight:
            raise Overloaded(f"{self.in_flight - 1} requests are under way, as many as may be")
        if deadline.left_s(now) <= 0:
            raise DeadlinePassed("the deadline passed while it arrived: nothing was done")

    def _authorise(self, caller: str, request: RequestHead) -> None:
        key = caller, request.method
        allowed = self._allowed.get(key)
        if allowed is None:
            allowed = self._allowed[key] = self._paths_for(caller, request.method.decode())
        if b"/" in allowed:
            return
        path = request.target.partition(b"?")[0]
        if not path.startswith(allowed) or TWO_READINGS.search(path):
            if not caller:
                raise NotKnown("no certificate that says who asks")
            raise Denied(f"{caller} may not {request.method.decode()} this")

    def _paths_for(self, caller: str, method: str) -> tuple[bytes, ...]:
        return tuple(
            rule.path.encode()
            for rule in self._config.may
            if rule.method in (ANYONE, method)
            and (ANYONE in rule.callers or (caller and caller in rule.callers))
        )


def _sooner(told: bytes, most_s: float, now: float) -> Deadline:
    """What a caller says of it; anybody's word counts, as it can only make it sooner."""
    try:
        deadline = Deadline.parse(told.decode("latin-1"), now)
    except BadDeadline as error:
        raise BadMessage(str(error)) from error
    left_s = deadline.left_s(now)
    if left_s <= 0:
        raise DeadlinePassed("the deadline has passed: nothing was done")
    return deadline if left_s < most_s else Deadline.after(now, most_s)


class Call:
    """One request to a service, over all its attempts: whom to ask, how long, whether again."""

    __slots__ = (
        "_deadline",
        "_may_repeat",
        "_permit",
        "_tried",
        "_upstream",
        "_way",
        "asked",
        "attempt",
        "lost",
    )

    def __init__(self, way: Way, deadline: Deadline, may_repeat: bool, now: float) -> None:
        """may_repeat: whether its receiver takes two of it for one."""
        self._way = way
        self._upstream = upstream = way.upstream
        self._deadline = deadline
        self._may_repeat = may_repeat
        self._permit: Permit | None = None
        self.attempt = 0
        self.asked: Endpoint | None = None  # last
        self._tried: dict[Endpoint, float] = {}  # until when each wants to be left alone
        self.lost: NoAnswer | None = None  # an attempt that may have been executed
        upstream.budget.deposit(now)

    def choose(self, now: float) -> Endpoint:
        """Whom to ask next; to be settled. Raises NoInstance, DeadlinePassed."""
        if self._deadline.left_s(now) <= 0:
            passed = DeadlinePassed("the deadline has passed: it was not sent")
            raise self._of_all(passed, f"attempt {self.attempt + 1}")
        upstream = self._upstream
        endpoint = upstream.balancer.pick(
            upstream.endpoints, lambda each: each.breaker.admits(now), self._tried
        )
        if endpoint is None:
            raise self._of_all(NoInstance(upstream.why_nobody), f"attempt {self.attempt + 1}")
        self.attempt += 1
        self.asked = endpoint
        self._tried[endpoint] = now
        self._permit = endpoint.breaker.admit(now)  # None: in a panic, and it learns nothing
        endpoint.in_flight += 1
        return endpoint

    @property
    def service(self) -> str:
        """The name of who is called."""
        return self._upstream.name

    def timeout_s(self, now: float) -> float:
        """How long this attempt may take."""
        return self._deadline.try_timeout_s(now, self._way.client.try_timeout_s)

    def told_deadline(self, now: float) -> str:
        """What the next hop is told, in ms."""
        return self._deadline.header(now)

    def settle(self, failure: CallFailed | None, allowed_s: float, now: float) -> Verdict:
        """What came of this attempt; every one that was chosen is settled once."""
        endpoint = self._asked()
        endpoint.in_flight -= 1
        if failure is not None:
            self._tried[endpoint] = now + failure.retry_after_s
        verdict = judge(failure, allowed_s, self._way.client.try_timeout_s).verdict
        if self._permit is not None:
            endpoint.breaker.record(self._permit, verdict, now)
        if isinstance(failure, NoAnswer):
            self.lost = failure
        return verdict

    def give_up(self, now: float) -> None:
        """Settle an attempt that says nothing about the instance."""
        endpoint = self._asked()
        endpoint.in_flight -= 1
        if self._permit is not None:
            endpoint.breaker.cancel(self._permit, now)

    def pause_s(self, failure: CallFailed, now: float) -> float:
        """How long to wait before the next attempt; raises the failure if there is none.

        1. asking again is no use, or not safe   2. often enough   3. no time is left for it
        4. all requests together are sent again too often already
        """
        number = f"attempt {self.attempt}"
        retry = self._way.client.retry
        if not judge(failure).may_retry(self._may_repeat):
            raise self._of_all(failure, f"{number}, not to be sent again")
        if self.attempt >= retry.attempts:
            raise self._of_all(failure, f"{number} of {retry.attempts}")
        upstream = self._upstream
        drawn = in_the_draw(upstream.endpoints, lambda each: each.breaker.admits(now), self._tried)
        pause_s = self._way.backoff.wait_s(self.attempt - 1, rest_s(drawn, self._tried, now))
        if self._deadline.left_s(now) <= pause_s:
            raise self._of_all(failure, f"{number}, and no time for another")
        if not self._upstream.budget.try_withdraw(now):
            raise self._of_all(failure, f"{number}, and the retry budget is spent")
        return pause_s

    def _asked(self) -> Endpoint:
        if self.asked is None:
            raise ValueError("nobody was chosen yet")
        return self.asked

    def _of_all(self, last: CallFailed, obstacle: str) -> CallFailed:
        """One attempt that may have been executed makes the fate of the whole request unknown."""
        if self.lost is None or self.lost is last:
            return last.saying(f"{last} ({obstacle})")
        return self.lost.saying(f"{last} ({obstacle}); before that, {self.lost}")
