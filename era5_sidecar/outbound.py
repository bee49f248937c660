"""Requests that our service sends out: whom to ask, how long, whether again; then the answer.

The file is long because a request's attempts are to be read in the order in which they are made.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence

from era4_framework.errors import (
    CallFailed,
    NoInstance,
    Unreachable,
)
from era4_framework.policies.deadline import Deadline
from era5_sidecar import answers
from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance
from era5_sidecar.exchange import UNCERTAIN, Question, Reply, ask
from era5_sidecar.filters import Call
from era5_sidecar.http1 import RequestHead
from era5_sidecar.tracing import Span, Spans, luggage
from era5_sidecar.transparent import was_going_to
from era5_sidecar.upload import NO_BODY, CallerGone, FromCaller, body_of
from era5_sidecar.upstream import Asked, Upstream
from era5_sidecar.watching import Watching
from era5_sidecar.ways import Fault, Steering, Way


class Outbound:
    """One side of the proxy. `apply` changes what it is told, for all requests from then on."""

    most_age_s = NEVER  # of our service's connections to us: they prove nothing

    def __init__(
        self,
        limits: LimitsConfig,
        steering: Steering,
        dialling: Dialling,
        spans: Spans,
        watching: Watching,
        waits: Mapping[bytes, Deadline],
        rng: random.Random,
    ) -> None:
        """waits: until when whoever asked our service waits, by the span that it was given."""
        self.is_leaving = False
        self._dialling = dialling
        self._spans = spans
        self._watching = watching
        self._waits = waits
        self._rng = rng
        self._upstreams: dict[str, Upstream] = {}
        self._nowhere = Way(Upstream("nobody", Asked("nobody"), dialling, rng))
        self._known: dict[str, tuple[Instance, ...]] = {}
        self.apply(limits, steering)

    def apply(self, limits: LimitsConfig, steering: Steering) -> None:
        """Who is asked still keeps its instances, its connections and what was learned of them."""
        self.limits = limits
        upstreams: dict[str, Upstream] = {}
        for name, told in steering.upstreams.items():
            upstream = upstreams[name] = self._obedient(name, told)
            static = [Instance(each, each) for each in told.endpoints]
            upstream.know(static or self._known.get(name, ()))
        steering.lead_to(upstreams)
        self._way = steering.way
        self._nowhere.upstream.why_nobody = steering.why_nobody()
        for name in self._upstreams.keys() - upstreams.keys():
            self._upstreams[name].retire()
        self._upstreams = upstreams

    def _obedient(self, name: str, told: Asked) -> Upstream:
        upstream = self._upstreams.get(name)
        if upstream is None:
            return Upstream(name, told, self._dialling, self._rng)
        if upstream.told != told:
            upstream.obey(told)
        return upstream

    def redial(self, dialling: Dialling) -> None:
        """From now on connections are made so, as with other certificates."""
        self._dialling = dialling
        for each in self.upstreams():
            each.redial(dialling)

    def know(self, name: str, instances: Sequence[Instance]) -> None:
        """Who is there, as the registry says."""
        there = {each.name for each in instances}
        for gone in {each.name for each in self._known.get(name, ())} - there:
            self._watching.metrics.forget(name, gone)
        self._known[name] = tuple(instances)
        upstream = self._upstreams.get(name)
        if upstream:
            upstream.know(self._known[name])

    def upstreams(self) -> list[Upstream]:
        return list(self._upstreams.values())

    def welcome(self, caller: FromCaller) -> None:
        """Whoever reaches this listener is our service: it is on loopback."""

    def refused(self, caller: FromCaller, failure: Exception) -> None:
        self._watching.refused("outbound", failure)

    async def answer(self, request: RequestHead, caller: FromCaller) -> None:
        begun = now = time.monotonic()
        span = self._spans.below(request.special.get(b"traceparent"))  # of the first attempt
        way = self._way(request) or self._nowhere
        status = 0
        start, rest = await body_of(request, caller, self.limits) if request.size else NO_BODY
        question = Question(request, start, rest)
        question.luggage = luggage(request.special)
        if way.fault is not None:
            status = await self._make_trouble(way.fault, question, caller)
            now = time.monotonic()
        # as long as our caller waits, and never for ever
        deadline = Deadline.after(now, way.client.deadline_s)
        if span.parent in self._waits:
            deadline = self._waits[span.parent].sooner(deadline)
        question.grace_s = deadline.left_s(now)
        call = Call(way, deadline, request.may_repeat, now)
        try:
            while not status:
                reply, failure = await self._attempt(call, question, caller, span)
                if failure is not None:
                    status = await self._after(failure, reply, call, question, caller)
                elif reply is not None:
                    status = reply.head.status
        except CallFailed as failure:
            if caller.has_answer:
                caller.abort()  # the answer was begun: its reader must see that it is not whole
                raise CallerGone from failure
            caller.is_spent = caller.is_spent or not question.is_whole
            self._watching.refused("outbound", failure)
            if way is self._nowhere:
                failure = self._no_way(caller)
            caller.write(answers.refusal(failure, caller.is_spent, request.method))
            status = answers.status_of(failure)
        finally:
            self._watching.went_out(call, request, status, time.monotonic() - begun, span)

    async def _make_trouble(self, fault: Fault, question: Question, caller: FromCaller) -> int:
        """The status with which it was answered instead of being sent; 0: it goes on."""
        delay_s, status = fault.draw(self._rng)
        if delay_s:
            self._watching.injected("delay")
            await asyncio.sleep(delay_s)
        if caller.is_lost:
            raise CallerGone
        if not status:
            return 0
        self._watching.injected("answer" if fault.body else "abort")
        caller.is_spent = caller.is_spent or not question.is_whole
        method = question.head.method
        caller.write(answers.instead(status, fault.body, caller.is_spent, method))
        return status

    def _no_way(self, caller: FromCaller) -> NoInstance:
        """Says also where our service was going, if that was not to us."""
        where = was_going_to(caller.transport.get_extra_info("socket"))
        dialled = f"; dialled was {where}" if where else ""
        return NoInstance(f"{self._nowhere.upstream.why_nobody}{dialled}")

    async def _after(
        self,
        failure: CallFailed,
        reply: Reply | None,
        call: Call,
        question: Question,
        caller: FromCaller,
    ) -> int:
        """Wait before another attempt (0), or relay the failed answer; raises if there is none."""
        if caller.has_answer or not question.is_whole:
            raise failure  # a part of the answer is out, or a part of the request gone
        try:
            pause_s = call.pause_s(failure, time.monotonic())
        except CallFailed:
            if reply is None or call.lost not in (None, failure):
                raise
            return _relay_kept(reply, failure, caller)  # its own words say more than ours
        self._watching.retry(call.service)
        await asyncio.sleep(pause_s)
        if caller.is_lost:
            raise CallerGone
        return 0

    async def _attempt(
        self, call: Call, question: Question, caller: FromCaller, span: Span
    ) -> tuple[Reply | None, CallFailed | None]:
        """One of them: an answer that was relayed, or a failure and its answer if there is one."""
        now = time.monotonic()
        endpoint = call.choose(now)
        attempt = self._spans.beside(span) if call.attempt > 1 else span
        allowed_s = question.timeout_s = call.timeout_s(now)
        told = call.told_deadline(now).encode()
        question.fields = b"%b%bX-Deadline-Ms: %b\r\n" % (attempt.header(), question.luggage, told)
        if self._watching.is_on:
            self._watching.sent(endpoint, question.head, attempt, call.attempt)
        reply: Reply | None = None
        failure: CallFailed | None = None
        try:
            added = UNCERTAIN if call.lost else b""
            reply = await ask(
                endpoint, question, caller, self.limits, now, answers.is_failure, added
            )
            failure = answers.failure_of(reply.head, endpoint.instance.name)
        except CallFailed as error:
            failure = error
        except BaseException:  # our caller's doing, or ours: it says nothing about the instance
            call.give_up(time.monotonic())
            raise
        verdict = call.settle(failure, allowed_s, time.monotonic())
        self._watching.attempt(endpoint, question.head, attempt, verdict, failure)
        return reply, failure


def _relay_kept(reply: Reply, failure: CallFailed, caller: FromCaller) -> int:
    """An answer that was kept to be judged; raises the failure if it was too large to keep."""
    if reply.kept is None:
        raise failure
    certain = b"true" if isinstance(failure, Unreachable) else b"false"
    last = b"Connection: close\r\n" if caller.is_spent else b""
    caller.has_answer = True
    head, kept = reply.head, reply.kept
    start = head.with_length(len(kept)) if head.size < 0 else head.start
    caller.write(b"%bX-Certain: %b\r\n%b\r\n%b" % (start, certain, last, kept))
    return reply.head.status
