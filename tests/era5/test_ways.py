"""Where requests go is decided by an object; what a ruler may say beyond a file."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace

import pytest

from era4_framework.config import BreakerConfig, BudgetConfig, ClientConfig, RetryConfig
from era4_framework.policies.breaker import State, Verdict
from era5_sidecar.connection import Sweep
from era5_sidecar.dialling import Dialling
from era5_sidecar.discovery import Instance
from era5_sidecar.upstream import Asked, Upstream
from era5_sidecar.ways import ByName, Fault, Ruling, Way
from tests.era5.test_exchange import GET, OK, built, kept, large
from tests.era5.wires import House

HEAD = b"HEAD http://inventory/stock HTTP/1.1\r\nHost: inventory\r\n\r\n"
ASKED = Asked("inventory", ClientConfig(breaker=BreakerConfig(consecutive_failures=2)))


@pytest.fixture
def house(monkeypatch) -> House:
    return built(monkeypatch)


class Faulty(ByName):
    """Every request meets this fault."""

    def __init__(self, house: House, fault: Fault) -> None:
        super().__init__({})
        self.upstreams = {each.name: each.told for each in house.outbound.upstreams()}
        self._fault = fault

    def lead_to(self, upstreams) -> None:
        self._one = Way(upstreams["inventory"], fault=self._fault)

    def way(self, request) -> Way:
        return self._one


def faulty(house: House, **fault: object) -> None:
    house.outbound.apply(house.outbound.limits, Faulty(house, Fault(**fault)))


# Trouble on purpose.


def test_an_abort_is_a_problem_that_says_so_and_nobody_is_asked(house):
    faulty(house, abort_status=503, abort_share=1.0)
    caller = house.go_out(GET)
    head, _, body = caller.heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"X-Certain: true" in head
    assert "injected on purpose" in json.loads(body)["detail"]
    assert house.asked == []
    assert b'refused_total{direction="injected",reason="abort"} 1.0' in house.metrics.exposition()


def test_after_an_abort_the_connection_goes_on(house):
    faulty(house, abort_status=418, abort_share=1.0)
    caller = house.go_out(GET + HEAD + GET)
    assert caller.heard.count(b"HTTP/1.1 418 Injected") == 3
    assert caller.heard.count(b"injected on purpose") == 2  # HEAD has no body


def test_but_not_if_the_rest_of_a_large_body_is_still_to_come(house):
    faulty(house, abort_status=503, abort_share=1.0)
    caller = house.go_out(large() + b"a" * 9000)
    assert b"Connection: close" in caller.heard


def test_a_delay_comes_before_the_deadline_begins(house):
    faulty(house, delay_s=100.0, delay_share=1.0)
    caller = house.go_out(GET)
    assert house.pauses == [100.0]
    house.asked[0].say(OK)
    assert caller.heard == OK


def test_an_answer_of_the_routes_own_stands_as_it_is(house):
    faulty(house, abort_status=403, abort_share=1.0, body=b'{"detail": "no"}')
    assert house.go_out(GET).heard.endswith(b'\r\n\r\n{"detail": "no"}')


def test_so_many_requests_meet_trouble_as_its_share_says():
    fault, rng = Fault(1.0, 0.5, 503, 0.1), random.Random(5)
    drawn = [fault.draw(rng) for _ in range(2000)]
    assert 900 < sum(delay_s > 0 for delay_s, _ in drawn) < 1100
    assert 150 < sum(status > 0 for _, status in drawn) < 250


# Other numbers.


def upstream() -> Upstream:
    found = Upstream("inventory", ASKED, Dialling(Sweep(), 65536), random.Random(1))
    found.know([Instance("inventory-1", "http://127.0.0.1:1")])
    return found


def open_breaker(asked: Upstream) -> None:
    for _ in range(2):
        breaker = asked.endpoints[0].breaker
        breaker.record(breaker.admit(0.0), Verdict.FAILURE, 0.0)


def test_who_is_asked_by_other_times_keeps_what_was_learned():
    asked = upstream()
    open_breaker(asked)
    before = asked.endpoints, asked.budget
    asked.obey(replace(ASKED, client=replace(ASKED.client, deadline_s=9.0), most_connections=7))
    assert (asked.endpoints, asked.budget) == before
    assert asked.endpoints[0].breaker.state is State.OPEN
    assert asked.endpoints[0].most == 7
    assert asked.config.deadline_s == 9.0


def test_who_was_led_to_one_that_is_retired_meanwhile_still_finds_its_instances():
    asked = upstream()
    asked.retire()
    (endpoint,) = asked.endpoints
    assert endpoint.is_gone, "its connections end with what is under way"


def test_what_was_learned_by_other_numbers_is_forgotten():
    asked = upstream()
    open_breaker(asked)
    endpoint, budget = asked.endpoints[0], asked.budget
    client = ClientConfig(
        breaker=BreakerConfig(consecutive_failures=9),
        retry=RetryConfig(budget=BudgetConfig(percent=1.0)),
    )
    asked.obey(replace(ASKED, client=client))
    assert asked.endpoints == [endpoint]
    assert endpoint.breaker.state is State.CLOSED
    assert asked.budget is not budget


def test_connections_stay_whatever_numbers_change(house):
    caller, _ = kept(house)
    told = house.outbound.upstreams()[0].told
    steering = ByName({})
    steering.upstreams = {"inventory": replace(told, client=ClientConfig(deadline_s=9.0))}
    house.outbound.apply(house.outbound.limits, steering)
    caller.say(GET)
    assert len(house.asked) == 1


def test_who_is_asked_no_more_finishes_what_is_under_way(house):
    caller = house.go_out(GET)
    [up] = house.asked
    house.outbound.apply(house.outbound.limits, ByName({}))
    up.say(OK)
    assert caller.heard == OK
    assert up.is_gone  # nobody will ask for it
    caller.say(GET)
    assert b"no service of this name; accepted: none" in caller.heard


# The age of connections.


def test_an_old_connection_to_others_is_not_kept(house):
    caller, up = kept(house)
    house.instances[0].most_age_s = 0.0
    caller.say(GET)
    assert len(house.asked) == 2
    assert up.is_gone
    house.asked[1].say(OK)
    assert house.asked[1].is_gone


def test_an_old_caller_is_told_that_this_was_the_last_answer(house):
    house.inbound.most_age_s = 10.0
    caller = house.come_in(b"GET /open/ HTTP/1.1\r\nHost: x\r\n\r\n")
    house.asked[0].say(OK)
    assert b"Connection: close" not in caller.heard
    [inside] = house.doors[house.inbound].inside
    inside.born_at -= 11.0
    caller.say(b"GET /open/ HTTP/1.1\r\nHost: x\r\n\r\n")
    house.asked[-1].say(OK)
    assert caller.heard.count(b"Connection: close") == 1
    assert caller.is_gone


def test_an_idle_one_is_closed_when_it_is_twice_as_old(house):
    house.inbound.most_age_s = 10.0
    caller = house.come_in()
    house.sweep.look(time.monotonic() + 19.0)
    assert not caller.is_gone
    house.sweep.look(time.monotonic() + 21.0)
    caller.listen()  # what is left to do is done
    assert caller.is_gone
    assert caller.heard == b""


def test_without_an_age_it_may_last_for_ever(house):
    assert Ruling().most_age_s == float("inf")
    assert house.inbound.most_age_s == house.outbound.most_age_s == float("inf")


# Who has sent it before.


@pytest.mark.parametrize(("attempt", "told"), [(b"1", b"true"), (b"2", b"false")])
def test_a_refusal_of_what_an_envoy_sends_again_is_not_certain(house, attempt, told):
    fields = b"Host: x\r\nX-Envoy-Attempt-Count: %b\r\n\r\n" % attempt
    caller = house.come_in(b"GET /closed HTTP/1.1\r\n" + fields)
    assert b"X-Certain: %b" % told in caller.heard
    house.come_in(b"GET /open/ HTTP/1.1\r\n" + fields)
    assert b"Attempt-Count" not in house.asked[0].heard


# Who has served.


def test_answers_say_who_has_served_if_a_ruler_wants_it(house, monkeypatch):
    config = house.config
    house.inbound.apply(config, Ruling(served_by="orders-1 v2"))
    caller = house.come_in(b"GET /open/ HTTP/1.1\r\nHost: x\r\n\r\n")
    house.asked[0].say(OK)
    assert b"X-Served-By: orders-1 v2\r\n" in caller.heard
