"""Service and Filter, the two ideas of which everything here is made (after Finagle).

A service is a function from a request to a response. A filter stands before a service: it may look
at the request, change it, answer it, ask the service several times, or fail.

    Service = Request -> Response
    Filter  = (Request, Service) -> Response

So a filter and a service are again a service, and a stack of filters is one too. A request does
not change: a filter that wants another one makes it (`dataclasses.replace`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from era4_framework.endpoints import Endpoint
from era4_framework.errors import DeadlinePassed
from era4_framework.policies.deadline import Deadline


@dataclass
class Learned:
    """What filters learn of a request, for those above them; all its copies share it.

    It changes, in a request that does not: what is learned below could reach those above only with
    the answer, and a request that fails has none.
    """

    caller: str = ""  # inbound: who asks, once that is proved
    told: str = ""  # inbound: what is asked, as a note for the tape, once it was let in
    # outbound: who was asked in vain, in order, and until when each wants to be left alone
    tried: dict[Endpoint, float] = field(default_factory=dict)
    rest_s: float = 0.0  # outbound: how long whoever is asked next is to be left alone yet


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, on its way down a stack; the lower half is written by filters.

    op: the operation's name, for permissions, metrics and traces. key: the idempotency key.
    body: bytes, as nobody should parse what a stranger sends before he is known. fields: its
    members that a trace may tell. expects: the outcomes that may answer it.
    """

    op: str
    method: str
    path: str
    body: bytes = b""
    key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    expects: tuple[str, ...] = ()

    learned: Learned = field(default_factory=Learned)
    deadline: Deadline | None = None  # until when anybody waits for the answer
    attempt: int = 1  # outbound, as all below: which one it is, from 1
    endpoint: Endpoint | None = None  # who is asked
    is_panic: bool = False  # asked although its breaker says no, as all of them do
    timeout_s: float = 0.0  # how long this attempt may be silent

    @property
    def may_repeat(self) -> bool:
        """Whether executing it twice is the same as executing it once."""
        return bool(self.key) or self.method in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered: a status, and one JSON object.

    is_sure: False if an earlier attempt was lost, and may have been executed, or may be yet.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_sure: bool = True

    @property
    def outcome(self) -> str:
        """The kind of outcome it carries, for metrics and traces."""
        return str(self.body.get("outcome", self.status))


Service = Callable[[Request], Response]
Filter = Callable[[Request, Service], Response]


def then(outer: Filter, inner: Service) -> Service:
    """The service that `inner` is behind one filter."""

    def filtered(request: Request) -> Response:
        return outer(request, inner)

    return filtered


def stack_of(filters: Sequence[Filter], service: Service) -> Service:
    """A service behind filters; they read downward, the first is the outermost."""
    for each in reversed(filters):
        service = then(each, service)
    return service


# The deadline of the request that this thread is serving: what it asks of others inherits it.
serving_until: ContextVar[Deadline | None] = ContextVar("serving_until", default=None)


def check_deadline(clock: Callable[[], float] = time.monotonic) -> None:
    """For a service that has waited, before it changes anything: raises DeadlinePassed."""
    deadline = serving_until.get()
    if deadline and deadline.left_s(clock()) <= 0:
        raise DeadlinePassed("the deadline has passed: nobody waits for this any more")
