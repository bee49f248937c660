"""A refusal that a sidecar writes is the failure that the next one reads."""

import json

import pytest

from era0_naive import shop
from era4_framework import errors
from era4_framework.errors import CallFailed, NoAnswer, Unreachable
from era4_framework.policies.breaker import FAILURE, IGNORED
from era4_framework.policies.classify import judge
from era5_sidecar import answers
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import ResponseHead

KINDS = [each for of in (Unreachable, NoAnswer) for each in of.__subclasses__()]
KINDS = [each for each in KINDS if each.__module__ == errors.__name__]
SAME = (
    "ConnectFailed",
    "Overloaded",
    "NotKnown",
    "Denied",
    "QuotaExceeded",
    "DeadlinePassed",
    "BadAnswer",
)


def parted(answer: bytes) -> tuple[ResponseHead, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return ResponseHead(head, b"GET", 20), body


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_sidecar_makes_of_it_a_failure_of_the_same_family(kind):
    head, _ = parted(answers.refusal(kind("why"), is_last=False))
    failure = answers.failure_of(head, "inventory-1")
    assert isinstance(failure, Unreachable) == issubclass(kind, Unreachable)
    assert answers.is_failure(head)
    if kind.__name__ in SAME:
        assert type(failure) is kind


@pytest.mark.parametrize("kind", KINDS)
def test_and_one_that_is_not_sent_again_more_often(kind):
    head, _ = parted(answers.refusal(kind("why"), is_last=False))
    failure = answers.failure_of(head, "inventory-1")
    for may_repeat in (True, False):
        assert judge(failure).may_retry(may_repeat) <= judge(kind("why")).may_retry(may_repeat)


def test_a_sidecar_whose_service_is_dead_is_left_alone_and_one_that_is_full_is_not():
    """Nobody else may know that it is dead: who rules, or keeps the list, may be dead as well."""
    verdicts = {}
    for kind in (errors.ConnectFailed, errors.Overloaded):
        head, _ = parted(answers.refusal(kind("why"), is_last=False))
        verdicts[kind] = judge(answers.failure_of(head, "inventory-1")).verdict
    assert verdicts == {errors.ConnectFailed: FAILURE, errors.Overloaded: IGNORED}


@pytest.mark.parametrize("kind", KINDS)
def test_the_shop_reads_whether_it_is_certain(kind):
    head, body = parted(answers.refusal(kind("why"), is_last=False))
    outcome = shop.read_outcome(json.loads(body))
    assert (outcome.detail, outcome.certain) == ("why", issubclass(kind, Unreachable))
    assert len(body) == head.size
    assert json.loads(body)["status"] == head.status


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_status_that_has_a_reason(kind):
    assert answers.status_of(kind("why")) in answers.REASONS


def test_when_to_come_again_is_whole_seconds_and_at_least_one():
    for kind in (errors.Overloaded, errors.QuotaExceeded):
        for said, read in ((0.0, 1.0), (0.2, 1.0), (1.2, 2.0)):
            head, _ = parted(answers.refusal(kind("why", said), is_last=False))
            assert answers.failure_of(head, "i").retry_after_s == read


@pytest.mark.parametrize("after", [b"", b"soon", b"-1", b"1.5", b"Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_that_is_no_number_is_none(after):
    head = ResponseHead(b"HTTP/1.1 429 X\r\nRetry-After: " + after, b"GET", 20)
    assert answers.failure_of(head, "i").retry_after_s == 0.0


def test_one_that_would_be_for_ever_is_not():
    head = ResponseHead(b"HTTP/1.1 429 X\r\nRetry-After: " + b"9" * 90, b"GET", 20)
    assert answers.failure_of(head, "i").retry_after_s <= 999_999


@pytest.mark.parametrize(
    ("status", "certain", "kind"),
    [
        (503, b"", errors.BadAnswer),  # of somebody on the way, after anything
        (503, b"\r\nX-Certain: false", errors.BadAnswer),
        (503, b"\r\nX-Certain: TRUE", errors.BadAnswer),
        (503, b"\r\nX-Certain: true\r\nRetry-After: 1", errors.Overloaded),
        (503, b"\r\nX-Certain: true", errors.ConnectFailed),  # nobody is behind that sidecar
        (504, b"\r\nX-Certain: true", errors.DeadlinePassed),
        (500, b"\r\nX-Certain: true", errors.BadAnswer),
        (401, b"", errors.NotKnown),
        (404, b"", None),
        (409, b"", None),
        (302, b"", None),
    ],
)
def test_what_a_status_means(status, certain, kind):
    head = ResponseHead(b"HTTP/1.1 %d X%b" % (status, certain), b"GET", 20)
    failure = answers.failure_of(head, "i")
    assert (type(failure) if failure else None) is kind
    assert answers.is_failure(head) == (kind is not None)


def test_the_head_of_a_refusal_is_what_get_would_be_answered():
    failure = CallFailed("why")
    whole = answers.refusal(failure, is_last=True, method=b"GET")
    head = answers.refusal(failure, is_last=True, method=b"HEAD")
    assert head.endswith(b"\r\n\r\n")
    assert whole.startswith(head)
    assert b"Connection: close\r\n" in head


def test_words_cannot_end_the_head_they_stand_in():
    head, body = parted(answers.refusal(errors.Denied("a\r\n\r\nHTTP/1.1 200 OK"), is_last=False))
    assert head.size == len(body)
    assert b"\r\n" not in body


def test_who_asks_what_is_no_request_hears_it_and_that_it_is_the_last():
    head, body = parted(answers.misunderstanding(BadMessage("too many", 431)))
    assert (head.status, head.is_last) == (431, True)
    assert json.loads(body)["detail"] == "too many"
    assert parted(answers.too_slow())[0].status == 408
