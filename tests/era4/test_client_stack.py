"""The client's stack on virtual time: who is asked when, how often, and what the caller learns."""

import threading
from contextlib import contextmanager

import pytest

from era4_framework.config import (
    BalancerConfig,
    BreakerConfig,
    BudgetConfig,
    ClientConfig,
    RetryConfig,
)
from era4_framework.endpoints import Instance
from era4_framework.errors import (
    BadAnswer,
    CallFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlinePassed,
    Denied,
    NoAnswer,
    NoInstance,
    NotKnown,
    Overloaded,
    QuotaExceeded,
    Timeout,
    Unreachable,
)
from era4_framework.identity import Identity
from era4_framework.outcomes import request_to
from era4_framework.policies.breaker import Verdict
from era4_framework.policies.deadline import Deadline
from era4_framework.protocol import token_in
from era4_framework.service import Request, Response, serving_until
from era4_framework.telemetry import Telemetry
from era4_framework.tracing import Span, read_traceparent, serving_span
from tests.era4.virtual import RESERVED, SECRET, Play, fails, fails_first

IN_TURN = BalancerConfig("round_robin")
REFUSED = ConnectFailed("no connection")


def in_turn(breaker: BreakerConfig | None = None, attempts: int = 3) -> ClientConfig:
    """Everybody in turn."""
    retry = RetryConfig(attempts=attempts)
    return ClientConfig(balancer=IN_TURN, retry=retry, breaker=breaker or BreakerConfig())


@contextmanager
def serving_a_request(play: Play, seconds: float):
    """What happens inside is asked on behalf of somebody who waits so long."""
    before = serving_until.set(Deadline.after(play.clock(), seconds))
    try:
        yield
    finally:
        serving_until.reset(before)


# ---- one attempt


def test_an_answer_comes_of_one_attempt():
    play = Play()
    assert play.reserve().body == {"outcome": "reserved"}
    assert len(play.attempts) == 1


def test_an_attempt_says_who_asks_how_much_time_is_left_and_which_trace_it_is():
    play = Play()
    play.reserve()
    headers = play.attempts[0].request.headers
    assert Identity(SECRET, "inventory").caller_of(token_in(headers)) == "orders"
    assert headers["X-Deadline-Ms"] == "2999"
    assert read_traceparent(headers["traceparent"])


def test_a_refusal_of_the_business_is_an_answer():
    refused = Response(409, {"outcome": "out_of_stock"})
    play = Play().everybody(lambda _: refused)
    assert play.reserve() == refused
    assert len(play.attempts) == 1
    assert play.counted(
        "attempts_total", callee="inventory", instance=play.asked(), verdict="success"
    )


# ---- again


def test_who_was_not_reached_is_left_for_another_one_after_a_pause():
    """Pauses are half of 25 and of 50 ms here."""
    play = Play().everybody(fails_first(REFUSED, attempts=2))
    assert play.reserve() == RESERVED
    assert play.moments() == [0.0, 0.0125, 0.0375]
    assert sorted(play.asked()) == ["a", "b", "c"]


def test_after_the_last_attempt_its_error_comes_out_and_says_how_many_there_were():
    play = Play().everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed, match=r"no connection \(attempt 3 of 3\)"):
        play.reserve()
    assert play.moments() == [0.0, 0.0125, 0.0375]


def test_each_attempt_has_its_own_time_and_all_have_one_deadline():
    play = Play()
    play.everybody(play.silence)
    with pytest.raises(Timeout, match="attempt 3 of 3"):
        play.reserve()
    assert play.moments() == [0.0, 0.5125, 1.0375]
    left_ms = [attempt.request.headers["X-Deadline-Ms"] for attempt in play.attempts]
    assert left_ms == ["2999", "2487", "1962"]


def test_no_attempt_gets_more_time_than_the_deadline_leaves():
    play = Play()
    play.everybody(play.silence)
    with serving_a_request(play, 0.8), pytest.raises(Timeout, match="no time for another"):
        play.reserve()
    assert play.moments() == [0.0, 0.5125]
    assert play.attempts[1].request.timeout_s == pytest.approx(0.2875)
    assert play.clock() == pytest.approx(100.8)


def test_who_says_when_to_come_again_is_not_asked_before():
    play = Play(instances="a").everybody(fails(Overloaded("full", retry_after_s=1.0)))
    with pytest.raises(Overloaded, match="attempt 3 of 3"):
        play.reserve()
    assert play.moments() == [0.0, 1.0125, 2.0375]


def test_who_says_when_to_come_again_does_not_speak_for_its_neighbours():
    play = Play().everybody(fails(Overloaded("full", retry_after_s=1.0)))
    with pytest.raises(Overloaded, match="attempt 3 of 3"):
        play.reserve()
    assert (play.moments(), len(set(play.asked()))) == ([0.0, 0.0125, 0.0375], 3)


def test_whom_its_breaker_refuses_is_no_neighbour():
    play = Play(ClientConfig(breaker=BreakerConfig(consecutive_failures=1, cool_down_s=9.0)))
    play.everybody(fails(Overloaded("full", retry_after_s=1.0)))
    broken = play.endpoints()[2]
    broken.settle(broken.admit(play.clock()), Verdict.FAILURE, play.clock())
    with pytest.raises(Overloaded, match="attempt 3 of 3"):
        play.reserve()
    assert (play.moments(), set(play.asked())) == ([0.0, 0.0125, 1.0375], {"a", "b"})


def test_who_wants_to_be_left_alone_until_the_deadline_is_asked_once():
    play = Play(instances="a").everybody(fails(Overloaded("full", retry_after_s=3.0)))
    with pytest.raises(Overloaded, match="no time for another"):
        play.reserve()
    assert (play.moments(), play.clock()) == ([0.0], 100.0)


def test_a_pause_that_outlasts_the_deadline_is_not_made():
    play = Play().everybody(fails(REFUSED))
    with serving_a_request(play, 0.012), pytest.raises(ConnectFailed, match="no time for another"):
        play.reserve()
    assert play.moments() == [0.0]
    assert play.clock() == 100.0, "nobody waited for nothing"


@pytest.mark.parametrize("kind", [Timeout, ConnectionLost, BadAnswer])
def test_what_perhaps_was_executed_is_sent_again_only_if_it_can_be_recognised(kind):
    play = Play().everybody(fails(kind("lost")))
    with pytest.raises(kind):
        play.reserve(key="o-1")
    assert len(play.attempts) == 3
    play.forget()
    with pytest.raises(kind, match="not to be sent again"):
        play.service(Request("reserve", "PUT", "/reservations"))
    assert len(play.attempts) == 1


def test_what_changes_nothing_may_be_sent_again_without_a_key():
    play = Play().everybody(fails(Timeout("silent")))
    with pytest.raises(Timeout):
        play.service(request_to("catalogue", "GET", "/catalogue", expects=("catalogue",)))
    assert len(play.attempts) == 3


@pytest.mark.parametrize("kind", [ConnectFailed, Overloaded, NotKnown])
def test_what_certainly_was_not_executed_is_sent_again_even_without_a_key(kind):
    play = Play().everybody(fails(kind("no")))
    with pytest.raises(kind):
        play.service(Request("reserve", "PUT", "/reservations"))
    assert len(play.attempts) == 3


@pytest.mark.parametrize("kind", [Denied, QuotaExceeded, DeadlinePassed])
def test_nobody_else_is_asked_who_would_say_the_same(kind):
    play = Play().everybody(fails(kind("no")))
    with pytest.raises(kind, match="not to be sent again"):
        play.reserve()
    assert len(play.attempts) == 1


def test_one_lost_attempt_makes_the_fate_of_all_unknown():
    """Certainly not executed was the second attempt, not the first."""

    def lost_and_then_refused(request: Request) -> Response:
        raise Timeout("silent") if request.attempt == 1 else REFUSED

    play = Play().everybody(lost_and_then_refused)
    with pytest.raises(Timeout, match=r"no connection \(attempt 3 of 3\); before that, silent"):
        play.reserve()


def test_an_answer_after_a_lost_attempt_says_that_it_is_not_the_whole_truth():
    play = Play()
    assert play.reserve().is_sure
    play.everybody(fails_first(Timeout("silent")))
    assert not play.reserve().is_sure
    play.everybody(fails_first(REFUSED))
    assert play.reserve().is_sure, "who was not reached did nothing"
    assert len(play.attempts) == 1 + 2 + 2


def test_an_empty_budget_allows_no_retry():
    none = BudgetConfig(percent=0, min_retries_per_s=0)
    play = Play(ClientConfig(retry=RetryConfig(budget=none))).everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed, match="attempt 1, and the retry budget is spent"):
        play.reserve()
    assert len(play.attempts) == 1


def test_all_requests_draw_on_one_budget():
    """A fifth of the requests, and none besides: ten requests at once pay for two retries."""
    fifth = RetryConfig(budget=BudgetConfig(percent=20, min_retries_per_s=0))
    play = Play(ClientConfig(retry=fifth)).everybody(fails(REFUSED))
    for _ in range(10):
        with pytest.raises(ConnectFailed):
            play.reserve()
    assert len(play.attempts) == 12


# ---- whose answer


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "invalid"),
        (404, "invalid"),
        (409, "invalid"),
        (409, "unknown_sku"),
        (400, "unknown_sku"),
        (404, "out_of_stock"),
        (400, "conflict"),
        (200, "out_of_stock"),
        (409, "reserved"),
        (202, "reserved"),
        (404, "not_found"),
        (409, "not_found"),
        (200, "placed"),
        (200, "released"),
        (200, "catalogue"),
        (200, ""),
        (200, "nonsense " * 100),
    ],
)
def test_an_outcome_of_another_service_is_a_failure_of_the_instance(status, kind):
    """Its address belongs to somebody else by now."""
    play = Play(instances="a").everybody(lambda _: Response(status, {"outcome": kind}))
    with pytest.raises(BadAnswer, match=f"and status {status} ") as raised:
        play.reserve()
    assert len(str(raised.value)) < 200
    assert play.counted("attempts_total", callee="inventory", instance="a", verdict="failure") == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "reserved"),
        (201, "reserved"),
        (400, "invalid"),
        (404, "unknown_sku"),
        (409, "out_of_stock"),
        (409, "conflict"),
    ],
)
def test_an_outcome_under_its_own_status_is_an_answer(status, kind):
    play = Play().everybody(lambda _: Response(status, {"outcome": kind}))
    assert play.reserve().outcome == kind


def test_what_was_released_is_no_new_thing():
    play = Play().everybody(lambda _: Response(201, {"outcome": "released"}))
    with pytest.raises(BadAnswer):
        play.service(request_to("release", "DELETE", "/x/", "o-1", expects=("released",)))


def test_one_of_two_instances_with_another_secret_eats_no_orders():
    play = Play(instances="ab")
    play.acts = {"a": fails(NotKnown("token refused"))}
    for number in range(50):
        assert play.reserve(f"o-{number}") == RESERVED
    assert "a" in play.asked()
    assert play.counted("breaker_state", callee="inventory", instance="a") == 0


# ---- whom


def test_nobody_is_asked_twice_while_another_one_is_left():
    play = Play().everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed):
        play.reserve()
    assert sorted(play.asked()) == ["a", "b", "c"]


def test_the_only_instance_is_asked_again():
    play = Play(instances="a").everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed):
        play.reserve()
    assert play.asked() == "aaa"


def test_with_nobody_to_ask_nothing_is_sent():
    play = Play(instances="")
    with pytest.raises(NoInstance) as raised:
        play.reserve()
    assert isinstance(raised.value, Unreachable)
    assert play.attempts == []


def test_an_instance_that_appears_between_two_attempts_is_asked():
    play = Play(instances="a")

    def refuse_and_bring_another(request: Request) -> Response:
        play.instances = (*play.instances, Instance("b", "http://10.0.0.2:1"))
        raise REFUSED

    play.acts = {"a": refuse_and_bring_another}
    assert play.reserve() == RESERVED
    assert play.asked() == "ab"


def test_the_busier_of_two_is_not_asked():
    """`a` is asked while it is still busy with another request."""
    play = Play(instances="ab")
    inner: list[str] = []

    def ask_meanwhile(request: Request) -> Response:
        play.acts = {}
        for _ in range(5):
            play.reserve()
        inner.append(play.asked())
        return RESERVED

    play.everybody(ask_meanwhile)
    play.reserve()
    first, *meanwhile = inner[0]
    assert set(meanwhile) == {"a", "b"} - {first}
    assert {each.in_flight for each in play.endpoints()} == {0}


# ---- breakers


def test_five_failures_in_a_row_and_an_instance_is_left_alone_for_a_second():
    play = Play(in_turn(attempts=2), instances="ab")
    play.acts = {"b": fails(REFUSED)}
    while play.asked().count("b") < 5:
        play.reserve()
    play.forget()
    for _ in range(10):
        play.reserve()
    assert play.asked() == "a" * 10
    assert play.counted("breaker_state", callee="inventory", instance="b") == 2
    play.clock.sleep(1.0)
    play.forget()
    for _ in range(4):
        play.reserve()
    assert play.asked().count("b") == 1, "one probe, which fails"


def test_a_probe_that_succeeds_brings_the_instance_back():
    play = Play(in_turn(BreakerConfig(consecutive_failures=1), attempts=2), instances="ab")
    play.acts = {"b": fails(REFUSED)}
    play.reserve()
    play.acts = {}
    play.clock.sleep(1.0)
    play.forget()
    for _ in range(4):
        play.reserve()
    assert play.asked() in ("abab", "baba")
    assert play.counted("breaker_state", callee="inventory", instance="b") == 0


def test_when_all_breakers_are_open_somebody_is_asked_all_the_same():
    """They say more about our own network than about the instances."""
    play = Play(ClientConfig(breaker=BreakerConfig(consecutive_failures=1)))
    play.everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed):
        play.reserve()
    states = [play.counted("breaker_state", callee="inventory", instance=name) for name in "abc"]
    assert states == [2, 2, 2]
    play.acts = {}
    play.forget()
    assert play.reserve() == RESERVED
    assert play.attempts[0].request.is_panic


def test_what_a_breaker_does_is_logged(caplog):
    play = Play(in_turn(BreakerConfig(consecutive_failures=1), attempts=2), instances="ab")
    play.acts = {"b": fails(REFUSED)}
    play.reserve()
    play.clock.sleep(1.0)
    play.acts = {}
    play.reserve()
    play.reserve()
    assert [each.getMessage() for each in caplog.records] == [
        "breaker instance=b from=closed to=open",
        "breaker instance=b from=open to=half open",
        "breaker instance=b from=half open to=closed",
    ]


def test_a_probe_that_is_interrupted_gives_its_place_back():
    play = Play(ClientConfig(breaker=BreakerConfig(consecutive_failures=1)), instances="ab")
    play.everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed):
        play.reserve()
    play.clock.sleep(1.0)

    def interrupted(request: Request) -> Response:
        raise KeyboardInterrupt

    play.everybody(interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            play.reserve()
    play.acts = {}
    play.forget()
    play.reserve()
    play.reserve()
    assert not any(attempt.request.is_panic for attempt in play.attempts)
    assert {each.in_flight for each in play.endpoints()} == {0}


def test_a_breaker_that_closes_to_us_between_look_and_call_costs_no_attempt():
    """Another thread takes the last probe's place just after we looked."""
    config = ClientConfig(breaker=BreakerConfig(consecutive_failures=1), retry=RetryConfig(1))
    play = Play(config, instances="ab")
    play.acts = {"a": fails(REFUSED), "b": fails(REFUSED)}
    for _ in range(2):
        with pytest.raises(ConnectFailed):
            play.reserve()
    play.clock.sleep(1.0)
    play.acts = {}
    thieves = {each: each.admits for each in play.endpoints()}
    robbed: list[str] = []

    def look_and_be_robbed(endpoint, admits):
        def look(now: float) -> bool:
            found = admits(now)
            if found and not robbed:
                robbed.append(endpoint.instance.name)
                endpoint.admit(now)
            return found

        return look

    for endpoint, admits in thieves.items():
        endpoint.admits = look_and_be_robbed(endpoint, admits)
    play.forget()
    assert play.reserve() == RESERVED
    assert play.asked() != robbed[0]
    assert not play.attempts[0].request.learned.tried, "nobody was asked in vain"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (REFUSED, "failure"),
        (Timeout("silent"), "failure"),
        (ConnectionLost("cut"), "failure"),
        (BadAnswer("500"), "failure"),
        (Overloaded("full"), "ignored"),  # it answered: it is busy, not dead
        (Denied("not you"), "success"),
        (NotKnown("who?"), "ignored"),  # the fault may be ours
        (QuotaExceeded("enough"), "success"),
    ],
)
def test_what_an_error_says_of_the_instance(error, verdict):
    play = Play(ClientConfig(retry=RetryConfig(attempts=1)), instances="a").everybody(fails(error))
    with pytest.raises(type(error)):
        play.reserve()
    assert play.counted("attempts_total", callee="inventory", instance="a", verdict=verdict) == 1


def test_an_impatient_caller_says_nothing_against_an_instance():
    """A silence of 100 ms where 500 are usual is the caller's doing."""
    play = Play(instances="a")
    play.everybody(play.silence)
    with serving_a_request(play, 0.1), pytest.raises(Timeout):
        play.reserve()
    assert play.counted("attempts_total", callee="inventory", instance="a", verdict="ignored") == 1


def test_an_instance_that_moved_starts_with_a_clean_record():
    config = ClientConfig(breaker=BreakerConfig(consecutive_failures=1), retry=RetryConfig(1))
    play = Play(config, instances="a").everybody(fails(REFUSED))
    with pytest.raises(ConnectFailed):
        play.reserve()
    play.acts = {}
    play.instances = (Instance("a", "http://10.0.0.9:1"),)
    play.forget()
    play.reserve()
    assert not play.attempts[0].request.is_panic


# ---- deadlines


def test_the_deadline_of_whoever_asked_us_is_inherited_and_shrinks():
    play = Play()
    with serving_a_request(play, 1.0):
        play.reserve()
    assert play.attempts[0].request.headers["X-Deadline-Ms"] == "999"


def test_nobody_can_wait_longer_than_our_own_deadline():
    play = Play(ClientConfig(deadline_s=2.0))
    with serving_a_request(play, 60.0):
        play.reserve()
    assert play.attempts[0].request.headers["X-Deadline-Ms"] == "1999"


@pytest.mark.parametrize("left_s", [0.001, 0.0, -1.0])
def test_nothing_is_sent_for_somebody_who_has_stopped_waiting(left_s):
    play = Play()
    with serving_a_request(play, left_s), pytest.raises(DeadlinePassed):
        play.reserve()
    assert play.attempts == []


# ---- watching


def test_the_attempts_of_a_request_are_spans_below_the_one_that_is_served():
    play = Play().everybody(fails(REFUSED))
    above = Span("a" * 32, "b" * 16)
    before = serving_span.set(above)
    try:
        with pytest.raises(ConnectFailed):
            play.reserve()
    finally:
        serving_span.reset(before)
    sent = [read_traceparent(each.request.headers["traceparent"]) for each in play.attempts]
    assert {span.trace for span in sent if span} == {above.trace}
    assert len({span.id for span in sent if span}) == 3


def test_what_nobody_serves_begins_a_trace_of_its_own():
    play = Play()
    play.reserve()
    play.reserve()
    traces = [each.request.headers["traceparent"][3:35] for each in play.attempts]
    assert traces[0] != traces[1]


def test_a_request_is_counted_once_and_its_attempts_one_by_one():
    play = Play().everybody(fails_first(REFUSED))
    play.reserve()
    labels = {"caller": "orders", "callee": "inventory", "op": "reserve"}
    assert play.counted("requests_total", outcome="reserved", **labels) == 1
    assert play.counted("request_seconds_sum", **labels) == pytest.approx(0.0125)
    for instance, verdict in zip(play.asked(), ["failure", "success"], strict=True):
        attempts = {"callee": "inventory", "instance": instance, "verdict": verdict}
        assert play.counted("attempts_total", **attempts) == 1


def test_an_outcome_that_nobody_knows_makes_no_time_series_of_its_own():
    telemetry = Telemetry("orders")
    telemetry.request("orders", "inventory", "reserve", "made up " * 100, 0.1)
    assert 'op="reserve",outcome="other"} 1.0' in telemetry.exposition().decode()


def test_of_an_instance_that_is_gone_nothing_is_counted_any_more():
    play = Play(in_turn(), instances="ab")
    play.reserve()
    play.reserve()
    gone = {"callee": "inventory", "instance": "a", "verdict": "success"}
    assert play.counted("attempts_total", **gone) == 1
    play.instances = play.instances[1:]
    assert 'instance="a"' not in play.telemetry.exposition().decode()
    assert play.counted("attempts_total", **(gone | {"instance": "b"})) == 1


def test_scrapes_at_once_tell_the_same():
    play = Play(instances="abc")
    play.reserve()
    told: set[bytes] = set()

    def scrape() -> None:
        told.update(play.telemetry.exposition() for _ in range(30))

    crowd = [threading.Thread(target=scrape) for _ in range(6)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(told) == 1


def test_every_error_is_of_one_of_the_two_families():
    kinds = {each for each in all_below(CallFailed) if each.__module__ == CallFailed.__module__}
    kinds -= {Unreachable, NoAnswer}
    assert len(kinds) == 11
    assert all(issubclass(kind, Unreachable) != issubclass(kind, NoAnswer) for kind in kinds)


def all_below(kind: type) -> list[type]:
    return [each for child in kind.__subclasses__() for each in [child, *all_below(child)]]
