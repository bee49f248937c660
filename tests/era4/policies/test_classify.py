"""The end of an attempt, case by case: every kind of error, every status of the contract."""

import inspect

import pytest

from era4_framework import errors
from era4_framework.policies.breaker import Verdict
from era4_framework.policies.classify import JUDGEMENTS, Retry, judge, kind_of

SUCCESS, FAILURE, IGNORED = Verdict
ALWAYS, WITH_KEY, NEVER = Retry

CASES = {
    errors.NoInstance: (IGNORED, ALWAYS),
    errors.ConnectFailed: (FAILURE, ALWAYS),
    errors.CircuitOpen: (IGNORED, ALWAYS),
    errors.Overloaded: (IGNORED, ALWAYS),
    errors.NotKnown: (IGNORED, ALWAYS),
    errors.Denied: (SUCCESS, NEVER),
    errors.QuotaExceeded: (SUCCESS, NEVER),
    errors.DeadlinePassed: (IGNORED, NEVER),
    errors.Timeout: (FAILURE, WITH_KEY),
    errors.ConnectionLost: (FAILURE, WITH_KEY),
    errors.BadAnswer: (FAILURE, WITH_KEY),
}
FAMILIES = {errors.CallFailed, errors.Unreachable, errors.NoAnswer}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_has_its_judgement(kind):
    judgement = judge(kind("why"), allowed_s=0.5, usual_s=0.5)
    assert (judgement.verdict, judgement.retry) == CASES[kind]


def test_no_kind_is_left_out():
    kinds = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, errors.CallFailed)
    }
    assert kinds - FAMILIES == JUDGEMENTS.keys() == CASES.keys()


def test_what_was_perhaps_executed_is_never_repeated_without_a_key():
    for kind, judgement in JUDGEMENTS.items():
        if issubclass(kind, errors.NoAnswer):
            assert judgement.retry is not ALWAYS, kind


def test_an_answer_is_a_success_and_final():
    judgement = judge(None, allowed_s=0.5, usual_s=0.5)
    assert (judgement.verdict, judgement.retry) == (SUCCESS, NEVER)


@pytest.mark.parametrize(
    ("retry", "may_repeat", "expected"),
    [
        (ALWAYS, False, True),
        (ALWAYS, True, True),
        (WITH_KEY, False, False),
        (WITH_KEY, True, True),
        (NEVER, False, False),
        (NEVER, True, False),
    ],
)
def test_who_may_send_again(retry, may_repeat, expected):
    [kind, *_] = [kind for kind, case in CASES.items() if case[1] is retry]
    assert judge(kind("why"), 0.5, 0.5).may_retry(may_repeat) is expected


@pytest.mark.parametrize(
    ("allowed_s", "verdict"), [(0.5, FAILURE), (0.25, FAILURE), (0.249, IGNORED), (0.0, IGNORED)]
)
def test_a_silence_counts_from_half_of_the_usual_time_on(allowed_s, verdict):
    judgement = judge(errors.Timeout("silence"), allowed_s, usual_s=0.5)
    assert (judgement.verdict, judgement.retry) == (verdict, WITH_KEY)


def test_little_time_excuses_nothing_but_silence():
    assert judge(errors.ConnectionLost("reset"), 0.001, 0.5).verdict is FAILURE
    assert judge(errors.ConnectFailed("refused"), 0.001, 0.5).verdict is FAILURE


@pytest.mark.parametrize("certain", [False, True])
@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 405, 409, 413, 422])
def test_what_the_business_answers_is_no_error(status, certain):
    assert kind_of(status, certain) is None


@pytest.mark.parametrize("certain", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.NotKnown), (403, errors.Denied), (429, errors.QuotaExceeded)],
)
def test_what_is_refused_to_the_caller_was_not_executed(status, kind, certain):
    assert kind_of(status, certain) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(503, errors.Overloaded), (504, errors.DeadlinePassed)]
)
def test_only_who_says_so_certainly_executed_nothing(status, kind):
    assert kind_of(status, certain=True) is kind
    assert kind_of(status, certain=False) is errors.BadAnswer


@pytest.mark.parametrize("certain", [False, True])
@pytest.mark.parametrize("status", [500, 501, 502, 505, 599])
def test_a_failure_in_the_middle_is_never_certain(status, certain):
    assert kind_of(status, certain) is errors.BadAnswer
