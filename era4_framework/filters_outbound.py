"""What a request carries on its way out, and what is believed when it comes back.

`filters_trying.py` says whom it asks and how often; `stack.py` in which order all of them stand.
"""

from collections.abc import Callable
from dataclasses import replace

from era4_framework.errors import BadAnswer, DeadlinePassed
from era4_framework.identity import Identity
from era4_framework.outcomes import is_answer
from era4_framework.policies.deadline import Deadline
from era4_framework.protocol import deadline_header, identity_header
from era4_framework.service import Request, Response, Service, serving_until

Clock = Callable[[], float]
LONGEST_TOLD = 40


class Deadlines:
    """Sets until when anybody waits: as long as whoever asked us does, and never for ever."""

    def __init__(self, deadline_s: float, clock: Clock) -> None:
        self._deadline_s = deadline_s
        self._clock = clock

    def __call__(self, request: Request, service: Service) -> Response:
        deadline = Deadline.after(self._clock(), self._deadline_s)
        inherited = serving_until.get()
        if inherited:
            deadline = inherited.sooner(deadline)
        return service(replace(request, deadline=deadline))


class TimeLimits:
    """Gives an attempt its time, which no retry can prolong, and tells the callee what is left."""

    def __init__(self, try_timeout_s: float, clock: Clock) -> None:
        self._try_timeout_s = try_timeout_s
        self._clock = clock

    def __call__(self, request: Request, service: Service) -> Response:
        now = self._clock()
        deadline = request.deadline or Deadline.after(now, self._try_timeout_s)
        left_ms = deadline.header(now)
        if left_ms == "0":
            raise DeadlinePassed("the deadline has passed: it was not sent")
        timeout_s = deadline.try_timeout_s(now, self._try_timeout_s)
        headers = {**request.headers, **deadline_header(left_ms)}
        return service(replace(request, deadline=deadline, timeout_s=timeout_s, headers=headers))


def believing(request: Request, service: Service) -> Response:
    """Takes for an answer only what answers this request; raises BadAnswer for anything else."""
    response = service(request)
    if is_answer(request, response):
        return response
    name = request.endpoint.instance.name if request.endpoint else "somebody"
    told = f"{response.outcome[:LONGEST_TOLD]!r} and status {response.status}"
    raise BadAnswer(f"{name}: {request.op} was answered with {told}")


class Identifying:
    """Says who asks."""

    def __init__(self, identity: Identity, callee: str) -> None:
        self._identity = identity
        self._callee = callee

    def __call__(self, request: Request, service: Service) -> Response:
        token = identity_header(self._identity.token_for(self._callee))
        return service(replace(request, headers={**request.headers, **token}))
