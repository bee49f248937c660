"""What a request meets on its way in, before the service sees it: the other side's filters.

Each refuses by raising one of the errors of `errors.py`, and `refusing` makes an answer of it that
the caller's edge turns into the same error again. Whatever is refused here was not executed.
"""

import threading
from collections.abc import Callable, Mapping

from era4_framework.config import QuotaConfig
from era4_framework.errors import CallFailed, DeadlinePassed, Denied, Overloaded, QuotaExceeded
from era4_framework.identity import Identity
from era4_framework.outcomes import malformed, refusal
from era4_framework.policies.bucket import TokenBucket
from era4_framework.policies.deadline import BadDeadline, Deadline
from era4_framework.policies.shedder import Shedder
from era4_framework.protocol import DEADLINE, TRACE, deadline_in, token_in
from era4_framework.service import Request, Response, Service, serving_until
from era4_framework.telemetry import Telemetry
from era4_framework.tracing import serving

Clock = Callable[[], float]


class Observing:
    """Counts, times and traces what came in."""

    def __init__(self, telemetry: Telemetry, callee: str, clock: Clock, customer: str = "") -> None:
        """callee: the name of the service. customer: how callers are called who keep no tape of
        their own, so that question and answer are put on ours; else the result alone is."""
        self._telemetry = telemetry
        self._callee = callee
        self._clock = clock
        self._customer = customer

    def __call__(self, request: Request, service: Service) -> Response:
        tracer, customer = self._telemetry.tracer, self._customer
        span = tracer.inbound(request.headers.get(TRACE, ""))
        told, began, outcome = tracer.told(request), self._clock(), "unavailable"
        if customer:
            tracer.write("call", customer, tracer.process, request, told, span)
        before = serving.set(span)
        try:
            response = service(request)
            outcome = response.outcome
            return response
        finally:
            serving.reset(before)
            caller = request.learned.caller or customer or "unknown"
            seconds = self._clock() - began
            self._telemetry.request(caller, self._callee, request.op, outcome, seconds)
            if customer:
                tracer.write("answer", tracer.process, customer, request, outcome, span)
            else:
                note = f"{told}: {outcome}"
                tracer.write("note", tracer.process, tracer.process, request, note, span)


def refusing(request: Request, service: Service) -> Response:
    """Makes an answer of every error that has a name."""
    try:
        return service(request)
    except CallFailed as error:
        return refusal(error)


class Shedding:
    """Refuses at once what would only wait."""

    def __init__(self, most_in_flight: int) -> None:
        self._shedder = Shedder(most_in_flight)
        self._turn = threading.Lock()

    def __call__(self, request: Request, service: Service) -> Response:
        with self._turn:
            has_room = self._shedder.try_enter()
        if not has_room:
            raise Overloaded(f"more than {self._shedder.most_in_flight} requests at once")
        try:
            return service(request)
        finally:
            with self._turn:
                self._shedder.leave()


class Authenticating:
    """Learns who asks, and believes a signature only."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __call__(self, request: Request, service: Service) -> Response:
        request.learned.caller = self._identity.caller_of(token_in(request.headers))
        return service(request)


class Authorising:
    """Lets each caller do what it may; what nobody is allowed, nobody may."""

    def __init__(self, may: Mapping[str, tuple[str, ...]]) -> None:
        """may: operation -> the callers that may ask for it."""
        self._may = may

    def __call__(self, request: Request, service: Service) -> Response:
        caller = request.learned.caller
        if caller not in self._may.get(request.op, ()):
            raise Denied(f"{caller} may not {request.op}")
        return service(request)


class Rationing:
    """Lets no caller ask more than its quota; who has none is not limited."""

    def __init__(self, quotas: Mapping[str, QuotaConfig], clock: Clock) -> None:
        self._buckets = {caller: TokenBucket(quota) for caller, quota in quotas.items()}
        self._clock = clock
        self._turn = threading.Lock()

    def __call__(self, request: Request, service: Service) -> Response:
        bucket = self._buckets.get(request.learned.caller)
        if bucket:
            self._take(bucket, request.learned.caller)
        return service(request)

    def _take(self, bucket: TokenBucket, caller: str) -> None:
        now = self._clock()
        with self._turn:
            if bucket.try_take(now):
                return
            retry_after_s = bucket.retry_after_s(now)
        raise QuotaExceeded(f"the quota of {caller} is spent", retry_after_s)


class Deadlines:
    """Takes over until when the caller waits, and does nothing for one who has stopped waiting."""

    def __init__(self, deadline_s: float, clock: Clock) -> None:
        """deadline_s: for a caller that says nothing, and the most that one may ask for."""
        self._deadline_s = deadline_s
        self._clock = clock

    def __call__(self, request: Request, service: Service) -> Response:
        now = self._clock()
        deadline = Deadline.after(now, self._deadline_s)
        told = deadline_in(request.headers)
        try:
            deadline = Deadline.parse(told, now).sooner(deadline) if told is not None else deadline
        except BadDeadline as error:
            return malformed(DEADLINE, str(error))
        if deadline.left_s(now) <= 0:
            raise DeadlinePassed("the deadline had passed when it arrived")
        before = serving_until.set(deadline)
        try:
            return service(request)
        finally:
            serving_until.reset(before)
