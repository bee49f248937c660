"""Was the outcome one that is allowed? First what is never allowed, then what the case says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lab.hostile.case import NEXT_PATH, PROBE_PATH, REJECTION, Case, Passed
from lab.hostile.message import Message
from lab.hostile.outcomes import objection
from lab.hostile.play import Seen, methods
from lab.hostile.upstream import NUMBER, Record

FOLLOWERS = (NEXT_PATH, PROBE_PATH)


class Result(Enum):
    HELD = "held"
    BROKE = "broke"
    SMUGGLED = "smuggled"


@dataclass(frozen=True)
class Verdict:
    """What came of a case, and why."""

    result: Result
    reason: str

    @property
    def is_held(self) -> bool:
        return self.result is Result.HELD


def judge(case: Case, seen: Seen) -> Verdict:
    """Held if nobody was smuggled to and one of the allowed outcomes fits."""
    for never, result in (
        (_unsent(seen), Result.SMUGGLED),
        (_ambiguous(seen), Result.BROKE),
        (_swapped(case, seen), Result.SMUGGLED),
        (_unserved(seen), Result.BROKE),
    ):
        if never:
            return Verdict(result, f"{never}; {seen.told()}")
    objections = []
    for outcome in case.allowed:
        why = objection(outcome, case, seen)
        if not why:
            return Verdict(Result.HELD, f"{type(outcome).__name__.lower()}; {seen.told()}")
        objections.append(f"not {type(outcome).__name__.lower()}: {why}")
    return Verdict(Result.BROKE, f"{'; '.join(objections)}; {seen.told()}")


def _unsent(seen: Seen) -> str:
    """The request that the upstream saw and nobody sent; empty if there is none."""
    for record in seen.received:
        request = record.request
        if request and request.is_complete and "smuggled" in request.target:
            return f"the upstream saw a request that nobody sent: {request.line!r}"
    return ""


def _ambiguous(seen: Seen) -> str:
    """What either end received, whatever else came of it, and the next reader may misunderstand."""
    requests = [record.request for record in seen.received]
    faults = [fault for request in requests if request for fault in request.faults]
    if faults:
        return f"forwarded what can be read in two ways: {', '.join(faults)}"
    faults = [fault for answer in seen.heard.answers for fault in answer.faults]
    if faults:
        return f"the client received what can be read in two ways: {', '.join(faults)}"
    if seen.heard.rest and seen.heard.end == "closed" and not _is_cut(seen):
        return "the client received bytes that are no response"
    return ""


def _swapped(case: Case, seen: Seen) -> str:
    """How a client received the answer to another's request; empty if none did."""
    if len(seen.heard.answers) > len(methods(case)):
        return f"{len(seen.heard.answers)} answers to {len(methods(case))} requests"
    for answer, target in [*zip(seen.heard.answers, _targets(case, seen), strict=False)]:
        if _is_foreign(answer, target, seen.received):
            return f"the answer to {target or 'the first request'} is another's"
    if seen.probe.answers and _is_foreign(seen.probe.answers[0], PROBE_PATH, seen.received):
        return "the next client received an answer that is not its own"
    return ""


def _targets(case: Case, seen: Seen) -> list[str]:
    """Whose answers the client may expect, in order; empty where any target will do."""
    also = next((each.also for each in case.allowed if isinstance(each, Passed)), ())
    return ["", *also, *[NEXT_PATH] * case.next]


def _is_foreign(answer: Message, target: str, received: tuple[Record, ...]) -> bool:
    numbers = answer.values(NUMBER)
    if not numbers:  # the proxy's own, or scripted: only the first request may be answered so
        return target in FOLLOWERS and answer.status not in (*REJECTION, 500, 502, 503, 504)
    whose = [r.request for r in received if str(r.number) == numbers[0] and r.request]
    if not whose:
        return True
    is_followers = whose[0].target in FOLLOWERS
    return whose[0].target != target if target else is_followers


def _unserved(seen: Seen) -> str:
    if not seen.probe.answers or seen.probe.answers[0].status != 200:
        return f"the next client was not served: {seen.probe}"
    return ""


def _is_cut(seen: Seen) -> bool:
    """Whether the connection ended amid a response's head or body."""
    answers = seen.heard.answers
    return bool(answers and not answers[-1].is_complete) or seen.heard.rest.startswith(b"HTTP/1.")
