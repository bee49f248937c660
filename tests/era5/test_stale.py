"""What is known of a request whose kept connection ended without an answer."""

import json

import pytest

from tests.era5.test_exchange import GET, OK, built, kept

REFUSED = b"HTTP/1.1 503 Later\r\nX-Certain: true\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def house(monkeypatch):
    return built(monkeypatch)


def told(caller):
    return json.loads(caller.heard.rpartition(b"\r\n\r\n")[2])


def test_who_died_over_it_may_have_executed_it(house):
    caller, up = kept(house)
    house.refusing.add(house.instances[0].instance.name)
    caller.say(GET)
    up.leave()
    assert told(caller)["certain"] is False
    assert b"X-Certain: true" not in caller.heard


def test_what_is_said_of_the_second_try_is_not_true_of_the_first(house):
    caller, up = kept(house)
    caller.say(GET)
    up.leave()
    for _ in range(3):
        house.asked[-1].say(REFUSED)
    assert b"X-Certain: true" not in caller.heard.removeprefix(OK)


def test_an_answer_after_that_says_that_it_is_not_the_first_try_s(house):
    caller, up = kept(house)
    caller.say(GET)
    up.leave()
    house.asked[-1].say(OK)
    assert b"X-Certain: false" in caller.heard
