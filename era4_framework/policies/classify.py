"""What the end of an attempt means: may it be sent again, and is the instance to blame?

Two questions with two answers, from one literal table over the kinds of errors.py:

1. May it be sent again? ALWAYS if it certainly was not executed and another try may do better;
   WITH_KEY if perhaps it was, so only when the receiver recognises a repetition; NEVER if the
   answer would be the same.
2. Does it count for the instance's breaker? SUCCESS: it answered as it should, even if the answer
   is a refusal. FAILURE: it did not. IGNORED: this says nothing about whether it is well. An
   instance that sheds load has answered, so it is not dead; nor is it proof of health.

A silence counts only if the instance had a fair chance to end it: a caller with a deadline of one
millisecond could otherwise open the breaker for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from era4_framework import errors
from era4_framework.policies.breaker import Verdict

FAIR_SHARE = 0.5  # of the time that an attempt usually has


class Retry(Enum):
    """When to send again."""

    ALWAYS = "always"
    WITH_KEY = "with an idempotency key"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one attempt means for the next one, and for the instance."""

    verdict: Verdict
    retry: Retry

    def may_retry(self, may_repeat: bool) -> bool:
        """Whether to send again; `may_repeat`: executing it twice is executing it once."""
        return self.retry is Retry.ALWAYS or (may_repeat and self.retry is Retry.WITH_KEY)


ANSWERED = Judgement(Verdict.SUCCESS, Retry.NEVER)
JUDGEMENTS: dict[type[errors.CallFailed], Judgement] = {
    # certainly not executed
    errors.NoInstance: Judgement(Verdict.IGNORED, Retry.ALWAYS),
    errors.ConnectFailed: Judgement(Verdict.FAILURE, Retry.ALWAYS),
    errors.CircuitOpen: Judgement(Verdict.IGNORED, Retry.ALWAYS),
    errors.Overloaded: Judgement(Verdict.IGNORED, Retry.ALWAYS),
    # one of us two has another secret or clock: it need not be the instance, and not all have it
    errors.NotKnown: Judgement(Verdict.IGNORED, Retry.ALWAYS),
    errors.Denied: Judgement(Verdict.SUCCESS, Retry.NEVER),
    errors.QuotaExceeded: Judgement(Verdict.SUCCESS, Retry.NEVER),  # elsewhere is no way around it
    errors.DeadlinePassed: Judgement(Verdict.IGNORED, Retry.NEVER),
    # perhaps executed
    errors.Timeout: Judgement(Verdict.FAILURE, Retry.WITH_KEY),
    errors.ConnectionLost: Judgement(Verdict.FAILURE, Retry.WITH_KEY),
    errors.BadAnswer: Judgement(Verdict.FAILURE, Retry.WITH_KEY),
}
CUT_SHORT = Judgement(Verdict.IGNORED, Retry.WITH_KEY)

REFUSALS: dict[int, type[errors.CallFailed]] = {
    401: errors.NotKnown,
    403: errors.Denied,
    429: errors.QuotaExceeded,
    503: errors.Overloaded,
    504: errors.DeadlinePassed,
}


def kind_of(status: int, certain: bool) -> type[errors.CallFailed] | None:
    """The kind of error that a status means; None: an answer, whatever it says.

    certain: it says itself that nothing was executed. A server's error (5xx) without that may come
    from anybody on the way, after anything; a 500 never is certain. The refusals with 4xx need no
    such word: they are about the caller, and were not applied (RFC 9110 15.5.2, 15.5.4).
    """
    if status < 500:
        return REFUSALS.get(status)
    return REFUSALS.get(status, errors.BadAnswer) if certain else errors.BadAnswer


def judge(
    error: errors.CallFailed | None, allowed_s: float = 1.0, usual_s: float = 1.0
) -> Judgement:
    """What an attempt means that ended with `error` (None: with an answer).

    allowed_s: how long it was allowed to take; usual_s: how long, had the deadline not been near.
    Only a verdict on a silence depends on them.
    """
    if error is None:
        return ANSWERED
    if isinstance(error, errors.Timeout) and allowed_s < FAIR_SHARE * usual_s:
        return CUT_SHORT
    return JUDGEMENTS[type(error)]
