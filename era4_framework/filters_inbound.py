"""What a request meets on its way in, before the service sees it: the other side's filters.

Each refuses by raising one of the errors of `errors.py`, and `refusing` makes an answer of it that
the caller's edge turns into the same error again. Whatever is refused here was not executed.
"""

import threading
from collections.abc import Callable, Mapping

from era0_naive import shop
from era4_framework.config import QuotaConfig
from era4_framework.errors import (
    CallFailed,
    DeadlinePassed,
    Denied,
    Overloaded,
    QuotaExceeded,
    Unreachable,
)
from era4_framework.identity import Identity
from era4_framework.outcomes import malformed, refusal_of, response_of
from era4_framework.policies.bucket import TokenBucket
from era4_framework.policies.deadline import BadDeadline, Deadline
from era4_framework.policies.shedder import Shedder
from era4_framework.protocol import DEADLINE, deadline_in, token_in
from era4_framework.service import Request, Response, Service, serving_until

Clock = Callable[[], float]


def refusing(request: Request, service: Service) -> Response:
    """Makes an answer of every error that has a name."""
    try:
        return service(request)
    except CallFailed as error:
        return refusal_of(error)


def apologising(request: Request, service: Service) -> Response:
    """The same towards customers, to whom all of it is one: the shop is unavailable."""
    try:
        return service(request)
    except CallFailed as error:
        certain = isinstance(error, Unreachable)
        return response_of(request, shop.unavailable(str(error), certain))


class Shedding:
    """Refuses at once what would only wait."""

    def __init__(self, most_in_flight: int) -> None:
        self._shedder = Shedder(most_in_flight)
        self._turn = threading.Lock()

    def in_flight(self) -> int:
        """How many requests are being served now."""
        return self._shedder.in_flight

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
