"""What the proxy itself answers: problem details (RFC 9457) in the form that the shop knows.

`X-Certain` says whether the request certainly was not executed; the sidecar of whoever asked acts
on it, as only who refuses can know. Between sidecars it is believed, as both ends have shown their
certificates; what a service itself says of this is not passed on.
"""

import json
import math
from collections.abc import Mapping

from era4_framework.errors import (
    CallFailed,
    ConnectFailed,
    DeadlinePassed,
    Denied,
    NotKnown,
    Overloaded,
    QuotaExceeded,
    Timeout,
    Unreachable,
)
from era4_framework.policies.classify import kind_of
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import ResponseHead

REASONS = {
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    417: b"Expectation Failed",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}
END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUSES: dict[type[CallFailed], int] = {
    NotKnown: 401,
    Denied: 403,
    QuotaExceeded: 429,
    Overloaded: 503,
    DeadlinePassed: 504,
    Timeout: 504,
}


def status_of(failure: CallFailed) -> int:
    """503: certainly not executed. 502: perhaps it was."""
    other = 503 if isinstance(failure, Unreachable) else 502
    return STATUSES.get(type(failure), other)


def refusal(
    failure: CallFailed, is_last: bool, method: bytes = b"", is_again: bool = False
) -> bytes:
    """A failure as the answer from which the next sidecar makes the same failure again.

    is_last: nothing follows on this connection. method: of the request, as far as it is known.
    is_again: it was sent before by somebody who does not keep account, and perhaps executed then.
    """
    is_certain = isinstance(failure, Unreachable) and not is_again
    told = {"outcome": "unavailable", "detail": str(failure), "certain": is_certain}
    fields = [b"X-Certain: true" if is_certain else b"X-Certain: false"]
    if isinstance(failure, Overloaded | QuotaExceeded):
        fields.append(b"Retry-After: %d" % max(1, math.ceil(failure.retry_after_s)))
    return _of(_problem(status_of(failure), told, fields, is_last), method)


def instead(status: int, body: bytes, is_last: bool, method: bytes = b"") -> bytes:
    """What a route answers where nobody is asked. body: a problem; empty: it was somebody's wish to
    see something go wrong.
    """
    if not body:
        detail = "injected on purpose: a fault that a route asks for"
        body = json.dumps(_told(status, detail)).encode()
    reason = REASONS.get(status) or b"Injected"
    fields = [b"X-Certain: true"]
    return _of(_answer(status, reason, body, fields, is_last), method)


def misunderstanding(error: BadMessage, is_certain: bool = True) -> bytes:
    """What is no request, as far as we can tell; its end nobody knows, so this is the last.

    is_certain: nothing of it was passed on to anybody, who might have begun to do something.
    """
    told = {"outcome": "invalid", "detail": str(error), "field": "the request"}
    fields = [b"X-Certain: true" if is_certain else b"X-Certain: false"]
    return _problem(error.status, told, fields, is_last=True)


def too_slow(is_certain: bool = True) -> bytes:
    """A request that did not become whole in time."""
    late = BadMessage("the request did not arrive in time", 408)
    return misunderstanding(late, is_certain)


def _of(answer: bytes, method: bytes) -> bytes:
    """Of HEAD the head of what GET would be answered: RFC 9110, section 9.3.2."""
    return answer[: answer.index(END) + len(END)] if method == b"HEAD" else answer


def _told(status: int, detail: str) -> Mapping[str, object]:
    kind = {"type": "about:blank", "title": "Injected", "status": status}
    return {**kind, "outcome": "unavailable", "detail": detail, "certain": True}


def _problem(status: int, told: Mapping[str, object], fields: list[bytes], is_last: bool) -> bytes:
    reason = REASONS[status]
    kind = {"type": "about:blank", "title": reason.decode(), "status": status}
    return _answer(status, reason, json.dumps({**kind, **told}).encode(), fields, is_last)


def _answer(status: int, reason: bytes, body: bytes, fields: list[bytes], is_last: bool) -> bytes:
    lines = [
        b"HTTP/1.1 %d %b" % (status, reason),
        b"Content-Type: application/problem+json",
        b"Content-Length: %d" % len(body),
        *fields,
    ]
    if is_last:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + END + body


def is_failure(head: ResponseHead) -> bool:
    """Whether an answer is one to judge before anybody sees it."""
    return head.status >= 400 and kind_of(head.status, certain=True) is not None


def failure_of(head: ResponseHead, name: str) -> CallFailed | None:
    """What an answer of `name` means if it is a failure; None: an answer, whatever it says."""
    if head.status < 400:
        return None
    kind = kind_of(head.status, head.special.get(b"x-certain") == b"true")
    if kind is None:
        return None
    after = head.special.get(b"retry-after", b"")
    if kind is Overloaded and not after:  # who sheds load says when to come again, see `refusal`
        kind = ConnectFailed  # and this sidecar found nobody behind it
    failure = kind(f"{name}: status {head.status}")
    if isinstance(failure, Overloaded | QuotaExceeded) and after.isdigit():
        failure.retry_after_s = float(after[:6])
    return failure
