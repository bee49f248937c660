"""One request over all its attempts, on virtual time: whom, how long, whether again."""

import random
from dataclasses import replace

import pytest

from era4_framework import errors
from era4_framework.config import BackoffConfig, BreakerConfig, BudgetConfig, ClientConfig
from era4_framework.config import RetryConfig as Retry
from era4_framework.errors import (
    BadAnswer,
    CallFailed,
    ConnectFailed,
    ConnectionLost,
    DeadlinePassed,
    Denied,
    NoAnswer,
    NoInstance,
    Overloaded,
    Timeout,
    Unreachable,
)
from era4_framework.policies.breaker import State, Verdict
from era4_framework.policies.deadline import Deadline
from era5_sidecar.connection import Sweep
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance
from era5_sidecar.filters import Call
from era5_sidecar.upstream import Asked, Upstream
from era5_sidecar.ways import Way

CONFIG = ClientConfig(
    deadline_s=3.0,
    try_timeout_s=0.5,
    retry=Retry(attempts=3, backoff=BackoffConfig(base_s=0.1, cap_s=0.2)),
    breaker=BreakerConfig(consecutive_failures=2, cool_down_s=1.0),
)
ALL_KINDS = [
    each
    for family in (Unreachable, NoAnswer)
    for each in family.__subclasses__()
    if each.__module__ == errors.__name__
]


def upstream(instances: int = 2, config: ClientConfig = CONFIG, seed: int = 1) -> Upstream:
    found = Upstream(
        "inventory", Asked("inventory", config), Dialling(Sweep(), 65536), random.Random(seed)
    )
    found.know(
        [Instance(f"inventory-{each}", f"http://h:{each}") for each in range(1, instances + 1)]
    )
    return found


def call(asked: Upstream, deadline_s: float = 3.0, may_repeat: bool = True, now: float = 0.0):
    return Call(Way(asked), Deadline.after(now, deadline_s), may_repeat, now)


def attempt(call: Call, failure: CallFailed | None, now: float) -> Verdict:
    call.choose(now)
    return call.settle(failure, call.timeout_s(now), now)


def refusal_of(call: Call, failure: CallFailed, now: float) -> CallFailed:
    """What is raised instead of another attempt."""
    with pytest.raises(CallFailed) as error:
        call.pause_s(failure, now)
    return error.value


def assert_all_settled(asked: Upstream) -> None:
    assert [each.in_flight for each in asked.endpoints] == [0] * len(asked.endpoints)


# Whether again.


def test_the_pauses_grow_up_to_their_cap_and_then_it_was_often_enough():
    longest = [0.0, 0.0]
    for seed in range(50):
        asked = upstream(seed=seed)
        request = call(asked)
        for number in (0, 1):
            lost = ConnectFailed("refused")
            attempt(request, lost, 0.1)
            longest[number] = max(longest[number], request.pause_s(lost, 0.1))
        attempt(request, lost, 0.2)
        assert "attempt 3 of 3" in str(refusal_of(request, lost, 0.2))
        assert_all_settled(asked)
    assert 0.05 < longest[0] <= 0.1 < longest[1] <= 0.2


def test_another_instance_is_asked_while_there_is_one():
    asked = upstream(3)
    request = call(asked)
    chosen = set()
    for _ in range(3):
        attempt(request, Overloaded("full", retry_after_s=5.0), 0.0)
        chosen.add(request.asked)
    assert chosen == {*asked.endpoints}


def test_who_wants_to_be_left_alone_is_waited_for_only_if_there_is_nobody_else():
    full = Overloaded("full", retry_after_s=1.0)
    request = call(upstream(2))
    attempt(request, full, 0.0)
    assert request.pause_s(full, 0.0) <= 0.1
    request = call(upstream(1))
    attempt(request, full, 0.0)
    assert 1.0 <= request.pause_s(full, 0.0) <= 1.1


def test_and_not_longer_than_there_is_time():
    full = Overloaded("full", retry_after_s=999_999.0)
    request = call(upstream(1))
    attempt(request, full, 0.0)
    assert "no time for another" in str(refusal_of(request, full, 0.0))


@pytest.mark.parametrize("kind", [Timeout, ConnectionLost, BadAnswer])
def test_what_was_perhaps_executed_is_sent_again_only_if_it_may_be_repeated(kind):
    for may_repeat in (True, False):
        request, failure = call(upstream(), may_repeat=may_repeat), kind("lost")
        attempt(request, failure, 0.0)
        if may_repeat:
            assert request.pause_s(failure, 0.0) <= 0.1
        else:
            told = refusal_of(request, failure, 0.0)
            assert type(told) is kind
            assert "attempt 1, not to be sent again" in str(told)


def test_what_certainly_was_not_executed_is_sent_again_whatever_it_is():
    request, failure = call(upstream(), may_repeat=False), Overloaded("full")
    attempt(request, failure, 0.0)
    assert request.pause_s(failure, 0.0) <= 0.1


def test_who_may_not_is_not_asked_again():
    request, failure = call(upstream()), Denied("no")
    attempt(request, failure, 0.0)
    assert isinstance(refusal_of(request, failure, 0.0), Denied)


def test_a_pause_beyond_the_deadline_is_not_begun():
    request, failure = call(upstream(), deadline_s=0.5), ConnectFailed("refused")
    attempt(request, failure, 0.499999)
    assert "no time for another" in str(refusal_of(request, failure, 0.4999999))


def test_all_requests_together_have_one_budget():
    budget = BudgetConfig(percent=50, min_retries_per_s=0, ttl_s=10)
    asked = upstream(config=replace(CONFIG, retry=replace(CONFIG.retry, budget=budget)))
    granted = 0
    for _ in range(10):
        request, failure = call(asked), ConnectFailed("refused")
        attempt(request, failure, 0.0)
        try:
            request.pause_s(failure, 0.0)
            granted += 1
        except ConnectFailed as error:
            assert "the retry budget is spent" in str(error)
    assert granted == 5


def test_what_is_not_sent_again_anyway_takes_nothing_out_of_the_budget():
    asked = upstream()
    before = asked.budget.balance(0.0)
    for failure in (Denied("no"), Timeout("silence")):
        request = call(asked, may_repeat=False)
        attempt(request, failure, 0.0)
        refusal_of(request, failure, 0.0)
    assert asked.budget.balance(0.0) == pytest.approx(before + 2 * 0.2)


# Until when.


def test_an_attempt_has_its_own_limit_and_never_more_than_is_left():
    request = call(upstream())
    assert request.timeout_s(0.0) == 0.5
    assert request.timeout_s(2.75) == pytest.approx(0.25)
    assert request.timeout_s(9.0) == 0.0


def test_the_next_hop_is_told_less_than_was_there():
    request = call(upstream(), deadline_s=1.0)
    assert request.told_deadline(0.0) == "999"
    assert request.told_deadline(0.6) == "400"
    assert request.told_deadline(7.0) == "0"


def test_after_the_deadline_nobody_is_asked_and_nothing_was_done():
    asked = upstream()
    request = call(asked, deadline_s=1.0)
    with pytest.raises(DeadlinePassed, match="it was not sent"):
        request.choose(1.0)
    assert request.asked is None
    assert_all_settled(asked)


def test_if_the_deadline_passes_after_a_lost_attempt_nobody_says_certainly_not():
    request = call(upstream(), deadline_s=1.0)
    attempt(request, Timeout("silence"), 0.0)
    with pytest.raises(Timeout, match=r"the deadline has passed.*before that, silence"):
        request.choose(1.0)


def test_nor_if_everybody_has_gone_meanwhile():
    asked = upstream()
    request = call(asked)
    attempt(request, ConnectionLost("reset"), 0.0)
    asked.know([])
    with pytest.raises(ConnectionLost, match=r"no instance.*before that, reset"):
        request.choose(0.1)


@pytest.mark.parametrize("last", [each for each in ALL_KINDS if issubclass(each, Unreachable)])
@pytest.mark.parametrize("lost", [Timeout, ConnectionLost, BadAnswer])
def test_after_a_lost_attempt_no_refusal_is_certain(lost, last):
    for tries in (1, 2):
        request = call(upstream())
        attempt(request, lost("lost"), 0.0)
        for _ in range(tries):
            attempt(request, last("refused"), 0.0)
        with pytest.raises(NoAnswer, match="lost"):
            while True:
                request.pause_s(last("refused"), 0.0)
                attempt(request, last("refused"), 0.0)


def test_a_lost_attempt_is_not_told_twice():
    request, lost = call(upstream(), may_repeat=False), Timeout("silence")
    attempt(request, lost, 0.0)
    assert str(refusal_of(request, lost, 0.0)) == "silence (attempt 1, not to be sent again)"


def test_what_a_failure_carries_is_carried_on():
    request, full = call(upstream()), Overloaded("full", retry_after_s=7.0)
    attempt(request, full, 0.0)
    assert refusal_of(request, full, 2.99).retry_after_s == 7.0


# Breakers: every permit is settled once.


def test_failures_open_the_breaker_of_whom_they_came_from_alone():
    asked = upstream()
    for _ in range(2):
        request = call(asked)
        request.choose(0.0)
        while request.asked is not asked.endpoints[0]:
            request.give_up(0.0)
            request = call(asked)
            request.choose(0.0)
        assert request.settle(Timeout("silence"), 0.5, 0.0) is Verdict.FAILURE
    assert [each.breaker.state for each in asked.endpoints] == [State.OPEN, State.CLOSED]
    for _ in range(20):
        request = call(asked)
        assert request.choose(0.5) is asked.endpoints[1]
        request.settle(None, 0.5, 0.5)
    assert_all_settled(asked)


def test_a_silence_that_had_no_fair_chance_to_end_says_nothing():
    asked = upstream(1)
    for _ in range(10):
        request = call(asked, deadline_s=0.1)
        request.choose(0.0)
        allowed_s = request.timeout_s(0.0)
        assert request.settle(Timeout("silence"), allowed_s, 0.1) is Verdict.IGNORED
    assert asked.endpoints[0].breaker.state is State.CLOSED


def opened(asked: Upstream) -> Upstream:
    for endpoint in asked.endpoints:
        while endpoint.breaker.state is State.CLOSED:
            endpoint.breaker.record(endpoint.breaker.admit(0.0), Verdict.FAILURE, 0.0)
    return asked


def test_when_all_are_open_one_is_asked_in_a_panic_and_nothing_is_learned_of_it():
    asked = opened(upstream())
    request = call(asked)
    for failure in (ConnectFailed("refused"), None):
        request.choose(0.5)
        request.settle(failure, 0.5, 0.5)
    assert {each.breaker.state for each in asked.endpoints} == {State.OPEN}
    assert_all_settled(asked)


def test_a_probe_that_came_to_nothing_gives_its_place_back():
    asked = opened(upstream(1))
    endpoint = asked.endpoints[0]
    for _ in range(3):
        request = call(asked)
        request.choose(1.0)
        assert not endpoint.admits(1.0)
        request.give_up(1.0)
        assert endpoint.admits(1.0)
        assert_all_settled(asked)
    request = call(asked)
    attempt(request, None, 1.0)
    assert endpoint.breaker.state is State.CLOSED


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_probe_with_any_end_leaves_no_place_taken(kind):
    asked = opened(upstream(1))
    attempt(call(asked), kind("x"), 1.0)
    assert asked.endpoints[0].admits(3.0)
    assert_all_settled(asked)


def test_histories_of_all_kinds_of_ends_leave_nobody_in_flight(seed):
    rng = random.Random(seed)
    asked, now = upstream(3), 0.0
    for _ in range(2000):
        now += rng.random()
        request, lost = call(asked, rng.uniform(0.0, 2.0), rng.random() < 0.5, now), False
        try:
            while True:
                request.choose(now)
                if rng.random() < 0.2:
                    request.give_up(now)
                    break
                kind = rng.choice([None, *ALL_KINDS])
                failure = kind("x") if kind else None
                request.settle(failure, request.timeout_s(now), now)
                lost = lost or isinstance(failure, NoAnswer)
                if failure is None:
                    break
                now += request.pause_s(failure, now)
        except CallFailed as error:
            assert isinstance(error, NoAnswer) == lost
        assert_all_settled(asked)
    assert all(each.admits(now + 1000) for each in asked.endpoints)


def test_nobody_is_known():
    request = call(upstream(0))
    with pytest.raises(NoInstance, match="no instance of inventory is known"):
        request.choose(0.0)
