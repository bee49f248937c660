"""The server's stack on virtual time: who gets to the service, and what the others are told."""

import threading

import pytest

from era0_naive import shop
from era4_framework.config import QuotaConfig, ServerConfig
from era4_framework.errors import Timeout
from era4_framework.service import Request, Response, check_deadline, serving_until
from era4_framework.tracing import serving_span
from tests.era3.tokens import BAD_TOKENS, bearer
from tests.era4.reception import BODY, CONFIG, Reception


def test_who_is_known_and_may_is_served():
    reception = Reception()
    answer = reception.reserve()
    assert (answer.status, answer.body) == (201, {"outcome": "reserved"})
    assert reception.served == [("o-1", "sku-0001", 2)]


# ---- who asks


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_bad_token_is_refused_before_anything_is_read(name):
    reception = Reception()
    answer = reception.stack(
        Request("reserve", "PUT", "/o-1", b"{nonsense", "o-1", BAD_TOKENS[name])
    )
    assert (answer.status, answer.body["certain"]) == (401, True)
    assert answer.headers == {"WWW-Authenticate": "Bearer"}
    assert reception.served == []


def test_a_refused_token_is_repeated_to_nobody():
    forged = bearer(secret=b"0" * 64)
    answer = Reception().catalogue(forged)
    token = forged["Authorization"].removeprefix("Bearer ")
    assert not any(part in repr(answer) for part in token.split("."))


def test_a_stranger_is_counted_under_no_name_of_its_own():
    reception = Reception()
    reception.catalogue(bearer(secret=b"0" * 64, subject="made-up"))
    assert 'caller="unknown"' in reception.exposition()
    assert "made-up" not in reception.exposition()


def test_who_is_known_but_may_not_is_told_so():
    reception = Reception()
    answer = reception.reserve(caller="reports")
    assert (answer.status, answer.body["outcome"]) == (403, "unavailable")
    assert answer.body["certain"] is True
    assert "reports may not reserve" in answer.body["detail"]
    assert reception.served == []


def test_what_nobody_is_allowed_nobody_may():
    reception = Reception()
    answer = reception.stack(Request("burn", "DELETE", "/", headers=bearer("orders")))
    assert answer.status == 403


# ---- how often


def test_a_quota_that_is_spent_says_when_to_come_again():
    """A burst of ten, and five a second."""
    reception = Reception()
    reports = bearer("reports")
    statuses = [reception.catalogue(reports).status for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    refused = reception.catalogue(reports)
    assert refused.headers["Retry-After"] == "1"
    assert refused.body["certain"] is True
    reception.clock.sleep(0.2)
    assert [reception.catalogue(reports).status for _ in range(2)] == [200, 429]


def test_one_caller_cannot_spend_the_quota_of_another():
    reception = Reception()
    for _ in range(20):
        reception.catalogue(bearer("reports"))
    assert reception.catalogue(bearer("orders")).status == 200


def test_what_is_forbidden_takes_nothing_from_a_quota():
    reception = Reception()
    for _ in range(20):
        reception.reserve(caller="reports")
    assert reception.catalogue(bearer("reports")).status == 200


def test_a_stranger_cannot_spend_anybodys_quota():
    reception = Reception()
    for _ in range(20):
        reception.catalogue(bearer("reports", secret=b"0" * 64))
    assert reception.catalogue(bearer("reports")).status == 200


# ---- how many at once


def test_who_finds_the_service_full_is_refused_at_once_and_for_certain():
    reception = Reception(ServerConfig(most_in_flight=1, may=CONFIG.may))
    inside: list[Response] = []

    def ask_again() -> shop.Outcome:
        inside.append(reception.catalogue(bearer("orders")))
        return shop.Outcome("reserved")

    reception.business = ask_again
    assert reception.reserve().status == 201
    assert inside[0].status == 503
    assert inside[0].body["certain"] is True
    assert inside[0].headers["Retry-After"] == "1"
    assert reception.catalogue(bearer("orders")).status == 200, "there is room again"


def test_a_full_service_does_not_ask_who_somebody_is():
    """Refusing must cost next to nothing, also for those with bad tokens."""
    reception = Reception(ServerConfig(most_in_flight=1, may=CONFIG.may))
    inside: list[Response] = []

    def ask_as_a_stranger() -> shop.Outcome:
        inside.append(reception.catalogue({}))
        return shop.Outcome("reserved")

    reception.business = ask_as_a_stranger
    reception.reserve()
    assert inside[0].status == 503


def test_a_failure_leaves_its_place_to_others():
    reception = Reception(ServerConfig(most_in_flight=1, may=CONFIG.may))
    reception.business = _raise(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        reception.reserve()
    assert reception.catalogue(bearer("orders")).status == 200
    assert 'in_flight{callee="inventory",instance="inventory-1"} 0.0' in reception.exposition()


# ---- how long


def test_nothing_is_done_for_a_caller_who_has_stopped_waiting():
    reception = Reception()
    answer = reception.reserve(X_Deadline_Ms="0")
    assert (answer.status, answer.body["certain"]) == (504, True)
    assert reception.served == []


@pytest.mark.parametrize(
    "told", ["", "-1", "+5", "1.5", " 5", "1_000", "1e3", "٣", "soon", "9" * 99]
)
def test_a_deadline_that_is_none_is_refused(told):
    reception = Reception()
    answer = reception.reserve(X_Deadline_Ms=told)
    assert (answer.status, answer.body["outcome"]) == (400, "invalid")
    assert answer.body["field"] == "X-Deadline-Ms"
    assert reception.served == []


@pytest.mark.parametrize(("told", "left_s"), [(None, 3.0), ("500", 0.5), ("60000", 3.0)])
def test_a_service_has_as_long_as_its_caller_waits_and_never_longer_than_its_own_limit(
    told, left_s
):
    reception = Reception()
    found: list[float] = []

    def look() -> shop.Outcome:
        deadline = serving_until.get()
        assert deadline
        found.append(deadline.left_s(reception.clock()))
        return shop.Outcome("reserved")

    reception.business = look
    reception.reserve(**({} if told is None else {"X_Deadline_Ms": told}))
    assert found == [pytest.approx(left_s)]
    assert serving_until.get() is None, "the next request has another one"


def test_a_service_that_has_waited_too_long_can_still_refuse():
    reception = Reception()

    def wait() -> shop.Outcome:
        reception.clock.sleep(0.6)
        check_deadline(reception.clock)
        return shop.Outcome("reserved")

    reception.business = wait
    answer = reception.reserve(X_Deadline_Ms="500")
    assert (answer.status, answer.body["certain"]) == (504, True)


# ---- what is asked


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"sku"', b"\xff\xfe", b"[" * 60_000, b'{"a": NaN}{}']
)
def test_a_body_that_is_no_json_object_is_named(body):
    reception = Reception()
    answer = reception.reserve(body)
    assert (answer.status, answer.body["outcome"]) == (400, "invalid")
    assert answer.body["field"] == "the body"
    assert len(answer.body["detail"]) < 200
    assert reception.served == []


def test_what_is_missing_is_none_for_the_business_to_refuse():
    reception = Reception()
    reception.reserve(b'{"quantity": true, "color": "red"}')
    assert reception.served == [("o-1", None, True)]


# ---- what comes back


@pytest.mark.parametrize(
    ("error", "status", "certain"),
    [
        (shop.Busy("/secret/path"), 503, True),
        (Timeout("whom we asked was silent"), 502, False),
    ],
)
def test_an_error_of_the_service_says_whether_anything_was_done(error, status, certain):
    reception = Reception()
    reception.business = _raise(error)
    answer = reception.reserve()
    assert (answer.status, answer.body["certain"]) == (status, certain)
    assert "/secret/path" not in repr(answer)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (shop.Outcome("reserved"), 201),
        (shop.Outcome("reserved", "repeated"), 200),
        (shop.Outcome("conflict"), 409),
        (shop.Outcome("out_of_stock"), 409),
        (shop.Outcome("unknown_sku"), 404),
        (shop.Outcome("invalid", field="sku"), 400),
    ],
)
def test_each_outcome_has_its_status(outcome, status):
    reception = Reception()
    reception.business = lambda: outcome
    answer = reception.reserve()
    assert answer.status == status
    assert answer.body["outcome"] == outcome.kind
    assert ("type" in answer.body) == (status >= 400)


# ---- watching


def test_a_request_is_counted_with_its_caller_and_its_outcome():
    reception = Reception()
    reception.reserve()
    reception.catalogue(bearer("reports"))
    told = reception.exposition()
    reserved = 'callee="inventory",caller="orders",op="reserve",outcome="reserved"'
    assert f"requests_total{{{reserved}}} 1.0" in told
    assert 'callee="inventory",caller="reports",op="catalogue",outcome="catalogue"' in told


GOOD = f"00-{'a' * 32}-{'b' * 16}-01"
BAD_TRACES = [
    "",
    "nonsense",
    GOOD.upper(),
    GOOD.replace("a", "0"),
    GOOD.replace("b", "0"),
    GOOD.replace("00-", "ff-", 1),
    GOOD.replace("00-", "0-", 1),
    GOOD + "-more",
    GOOD[:-1],
    GOOD + "1",
    GOOD.replace("-01", "-0x"),
    GOOD.replace("a", "é"),
    GOOD + "," + GOOD,
    "-" * 55,
    "0" * 10_000,
]


def traced(reception: Reception, header: str):
    found = []

    def look() -> shop.Outcome:
        found.append(serving_span.get())
        return shop.Outcome("reserved")

    reception.business = look
    assert reception.reserve(traceparent=header).status == 201
    assert serving_span.get() is None
    return found[0]


@pytest.mark.parametrize("header", [GOOD, GOOD.replace("00-", "01-", 1) + "-of-a-later-version"])
def test_a_trace_goes_on_in_a_span_of_our_own(header):
    span = traced(Reception(), header)
    assert (span.trace, span.parent) == ("a" * 32, "b" * 16)
    assert span.id != "b" * 16


@pytest.mark.parametrize("header", BAD_TRACES)
def test_a_trace_header_that_is_none_begins_a_new_trace(header):
    span = traced(Reception(), header)
    assert span.parent == ""
    assert span.trace != "a" * 32
    assert (len(span.trace), len(span.id)) == (32, 16)


# ---- towards customers


def test_customers_need_no_token():
    reception = Reception(is_edge=True)
    answer = reception.stack(Request("reserve", "PUT", "/o-1", BODY, "o-1"))
    assert answer.status == 201
    assert 'caller="customer"' in reception.exposition()


def test_to_a_customer_every_failure_is_one_the_shop_is_unavailable():
    reception = Reception(is_edge=True)
    answer = reception.stack(Request("reserve", "PUT", "/o-1", BODY, "o-1", {"X-Deadline-Ms": "0"}))
    assert (answer.status, answer.body["outcome"]) == (503, "unavailable")
    assert answer.body["certain"] is True
    assert reception.served == []


def test_quotas_hold_for_many_threads_together():
    reception = Reception(ServerConfig(may=CONFIG.may, quotas={"orders": QuotaConfig(0.001, 50)}))
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(20):
            statuses.append(reception.catalogue(bearer("orders")).status)

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(statuses) == [200] * 50 + [429] * 110


def _raise(error: Exception):
    def act() -> shop.Outcome:
        raise error

    return act
