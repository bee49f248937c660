"""Does what was seen fit one allowed outcome? Each question is answered by an objection, or ""."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from lab.hostile.case import (
    NEXT_PATH,
    PROBE_PATH,
    Answered,
    Case,
    Cut,
    Guarded,
    Outcome,
    Passed,
    Refused,
    Unfinished,
)
from lab.hostile.message import Message
from lab.hostile.play import Seen

SAFE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")  # RFC 9110 §9.2.2: may be repeated


def objection(outcome: Outcome, case: Case, seen: Seen) -> str:
    """Why this was not the outcome; empty if it was."""
    match outcome:
        case Refused():
            return _not_refused(outcome, seen)
        case Passed():
            return _not_passed(outcome, case, seen)
        case Guarded():
            return _not_guarded(seen)
        case Answered():
            return _not_answered(outcome, seen)
        case Cut():
            return _not_cut(seen)
        case Unfinished():
            return _not_unfinished(seen)


def _not_refused(outcome: Refused, seen: Seen) -> str:
    came = [r.request for r in seen.complete if r.request]
    came = [request for request in came if request.target != PROBE_PATH]
    if any(request.target != NEXT_PATH for request in came):
        return "it reached the upstream"
    if came and not outcome.may_go_on:
        return "what followed reached the upstream"
    if seen.heard.end == "open" and not outcome.may_go_on:
        return "the connection stayed open"
    if not seen.heard.answers:
        return "" if outcome.may_be_silent else "no answer"
    status = seen.heard.answers[0].status
    return "" if status in outcome.statuses else f"status {status}"


def _not_passed(outcome: Passed, case: Case, seen: Seen) -> str:
    came = _without_repeats(seen)
    first = came[0] if came else None
    if first is None:
        return "nothing reached the upstream"
    wanted = (outcome.method or case.method, outcome.target)
    if (first.method, first.target) != wanted:
        return f"{first.method} {first.target[:60]} reached the upstream"
    if first.body != outcome.body:
        return f"its body was {first.body[:60]!r}"
    if not seen.heard.answers or seen.heard.answers[0].status != 200:
        return "the client was not answered 200"
    followers = [request.target for request in came[1:]]
    return (
        _wrong_fields(first, outcome.has, outcome.lacks)
        or _wrong_followers(followers, [*outcome.also, *[NEXT_PATH] * case.next], outcome.then)
        or _wrong_end(seen, followers)
    )


def _without_repeats(seen: Seen) -> list[Message]:
    """What reached the upstream, the probe left out, a request that was sent again once."""
    came = [r.request for r in seen.complete if r.request and r.request.target != PROBE_PATH]
    return [
        request
        for before, request in zip([None, *came], came, strict=False)
        if not (before and request.method in SAFE and before.line == request.line)
    ]


def _wrong_followers(followers: list[str], wanted: list[str], then: str) -> str:
    if then == "closes" and followers:
        return f"the connection went on: {followers}"
    if then == "next" and followers != wanted:
        return f"then came {followers}"
    if followers != wanted[: len(followers)]:
        return f"then came {followers}"
    return ""


def _wrong_end(seen: Seen, followers: list[str]) -> str:
    answered = sum(a.status == 200 and a.is_complete for a in seen.heard.answers)
    if answered < 1 + len(followers):
        return f"{answered} answers to {1 + len(followers)} requests"
    return ""


def _wrong_fields(
    message: Message, has: tuple[tuple[str, str], ...], lacks: tuple[str, ...]
) -> str:
    for name, value in has:
        if value not in message.values(name):
            return f"{name} was {message.values(name)}, not {value!r}"
    came = [name for name in lacks if message.values(name)]
    return f"{came} came through" if came else ""


def _not_guarded(seen: Seen) -> str:
    for record in seen.complete:
        path = lenient_path(record.request.target if record.request else "")
        if not path.startswith("/open/"):
            return f"it reached the upstream, which may read it as {path}"
    return "" if seen.heard.answers else "no answer"


def lenient_path(target: str) -> str:
    """The path as the most obliging server would read it."""
    path = re.sub(r"^\w+://[^/]*", "", target).partition("?")[0]
    path = unquote(path).replace("\\", "/")
    return posixpath.normpath(re.sub("/+", "/", path)).rstrip("/").lower()


def _not_answered(outcome: Answered, seen: Seen) -> str:
    first = seen.heard.answers[0] if seen.heard.answers else None
    if first is None:
        return "no answer"
    if not first.is_complete:
        return "the answer was cut"
    if first.status not in outcome.statuses:
        return f"status {first.status}"
    if outcome.body is not None and first.body != outcome.body:
        return f"the body was {first.body[:60]!r}"
    if outcome.interim is not None and seen.heard.interim != outcome.interim:
        return f"interim answers {seen.heard.interim}"
    followers = [r.request.target for r in seen.complete if r.request]
    if outcome.then == "closes" and NEXT_PATH in followers:
        return "the connection went on"
    if outcome.then == "next" and NEXT_PATH not in followers:
        return "the next request was not sent on"
    return _wrong_fields(first, outcome.has, outcome.lacks)


def _not_cut(seen: Seen) -> str:
    if seen.heard.end == "open":
        return "the connection stayed open"
    if any(answer.is_complete for answer in seen.heard.answers):
        return "the client took it for complete"
    return ""


def _not_unfinished(seen: Seen) -> str:
    came = [r.request.target for r in seen.complete if r.request]
    if any(target != PROBE_PATH for target in came):
        return f"{came} reached the upstream"
    if any(200 <= answer.status < 400 for answer in seen.heard.answers):
        return "the client was told of success"
    return ""
