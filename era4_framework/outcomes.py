"""The shop's outcomes as responses and back: the one table between the business and HTTP.

A success is the outcome as JSON. A refusal is problem details (RFC 9457), whose member `outcome`
names it; the other members are the outcome's own.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from era0_naive import shop
from era4_framework.errors import (
    CallFailed,
    DeadlinePassed,
    Denied,
    NotKnown,
    Overloaded,
    QuotaExceeded,
    Unreachable,
)
from era4_framework.service import Request, Response, Service

REFUSALS = {
    "conflict": 409,
    "out_of_stock": 409,
    "unknown_sku": 404,
    "not_found": 404,
    "invalid": 400,
    "unavailable": 503,
}
CREATED = ("placed", "reserved")  # by a PUT, and not repeated
KINDS = frozenset(REFUSALS) | {*CREATED, "already_placed", "cancelled", "released", "catalogue"}
REPEATED = "repeated"  # the detail of a `reserved` that an earlier request has done
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of a service, and which method of it does it.

    path: as Flask writes it; `<text:key>` is where the idempotency key stands. run is given the
    key, if the path has one, then each of `fields` from the request's JSON object, None for one
    that is missing.
    """

    name: str
    method: str
    path: str
    run: Callable[..., shop.Outcome]
    fields: Sequence[str] = ()

    @property
    def has_key(self) -> bool:
        """Whether its path names an idempotency key."""
        return "<" in self.path


def serving(operations: Sequence[Operation]) -> Service:
    """The innermost service: the request is read, the business is asked.

    It raises Overloaded if somebody else holds the store for too long.
    """
    by_name = {operation.name: operation for operation in operations}

    def serve(request: Request) -> Response:
        try:
            return response_of(request, _run(by_name[request.op], request))
        except shop.Busy as busy:
            raise Overloaded("somebody else holds the store") from busy

    return serve


def _run(operation: Operation, request: Request) -> shop.Outcome:
    key = (request.key,) if operation.has_key else ()
    if not operation.fields:
        return operation.run(*key)
    members = _read(request.body)
    if members is None:
        return shop.refuse("the body", request.body, "a JSON object")
    return operation.run(*key, *(members.get(name) for name in operation.fields))


def request_to(
    op: str,
    method: str,
    path: str,
    key: str = "",
    body: dict[str, Any] | None = None,
    *,
    expects: Sequence[str],
) -> Request:
    """A request for an operation of another service; `key` is appended to the path.

    expects: the outcomes that may answer it; any other is the word of somebody else.
    """
    content = b"" if body is None else json.dumps(body).encode()
    fields, whole = tuple(body or ()), path + quote(key, safe="")
    return Request(op, method, whole, content, key, fields=fields, expects=tuple(expects))


def response_of(request: Request, outcome: shop.Outcome) -> Response:
    """The status and body that carry an outcome."""
    message = outcome.message()
    status = REFUSALS.get(outcome.kind)
    if status is not None:
        headers = _retry_after(RETRY_AFTER_S) if outcome.kind == "unavailable" else {}
        return problem(status, outcome.kind.replace("_", " "), message, headers)
    is_new = outcome.kind in CREATED and outcome.detail != REPEATED
    return Response(201 if request.method == "PUT" and is_new else 200, message)


def problem(
    status: int, title: str, message: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """A refusal as problem details."""
    kind = title.replace(" ", "_")
    told = {"type": f"urn:seven-eras:{kind}", "title": title, "status": status}
    return Response(status, told | message, headers or {})


def refusal_of(error: CallFailed) -> Response:
    """An error as the answer from which the caller's edge makes the same error again."""
    certain = isinstance(error, Unreachable)
    message = shop.unavailable(str(error), certain).message()
    match error:
        case Denied():
            return problem(403, "denied", message)
        case NotKnown():
            return problem(401, "unknown caller", message, {"WWW-Authenticate": "Bearer"})
        case QuotaExceeded():
            return problem(429, "quota exceeded", message, _retry_after(error.retry_after_s))
        case DeadlinePassed():
            return problem(504, "deadline passed", message)
        case Overloaded():
            return problem(503, "overloaded", message, _retry_after(error.retry_after_s))
    return problem(503 if certain else 502, "unavailable", message)


def malformed(field: str, why: str) -> Response:
    """A request that nobody can understand."""
    return problem(400, "invalid", shop.Outcome("invalid", why, field).message())


def is_answer(request: Request, response: Response) -> bool:
    """Whether the response is one to this request: an outcome it expects, under its own status.

    At the address of an instance that is gone another service of the shop may listen by now, whose
    404 or `invalid` says nothing about what we asked.
    """
    kind = response.outcome
    if kind not in request.expects:
        return False
    if kind in REFUSALS:
        return response.status == REFUSALS[kind]
    return response.status in ((200, 201) if kind in CREATED else (200,))


def outcome_of(response: Response) -> shop.Outcome:
    """The outcome that a response carries.

    After a lost attempt a refusal is no proof: that attempt may have been served, or be under way
    yet. `out_of_stock` says so; for `invalid` and `unknown_sku` no service has a reason then, so
    whoever says that is not believed. `conflict` will be the lost attempt's answer, too.
    """
    outcome = shop.read_outcome(response.body)
    if response.is_sure or outcome.kind not in ("out_of_stock", "invalid", "unknown_sku"):
        return outcome
    if outcome.kind == "out_of_stock":
        return replace(outcome, certain=False)
    return shop.unavailable(f"{outcome.kind} after an attempt that was lost", certain=False)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}  # whole seconds: RFC 9110, 10.2.3


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None
