"""A listener's side: requests in their order, refusals, limits. Wires, no sockets."""

import json

import pytest

from era5_sidecar.side import LINGER_BYTES
from tests.era5.test_exchange import LIMITS, OK, built
from tests.era5.wires import House, Wire

GET = b"GET /open/a HTTP/1.1\r\nHost: h\r\n\r\n"
FORBIDDEN = b"GET /secret HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /open/a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def house(monkeypatch) -> House:
    return built(monkeypatch)


def statuses(caller: Wire) -> list[int]:
    return [int(each[:3]) for each in caller.heard.split(b"HTTP/1.1 ")[1:]]


def settled(house: House) -> None:
    assert house.inbound.in_flight() == 0
    assert house.inbound.waits == {}


# One after the other.


def test_pipelined_requests_are_answered_in_order(house):
    caller = house.come_in(GET + FORBIDDEN + PUT % 2 + b"{}" + GET)
    bodies = [b"first", b"second", b"third"]
    for body in bodies:
        assert len(house.asked) == 1  # and one at a time, all on one connection
        house.asked[0].say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert statuses(caller) == [200, 401, 200, 200]
    assert [caller.heard.index(each) for each in bodies] == sorted(map(caller.heard.index, bodies))
    settled(house)


def test_the_next_request_is_not_asked_before_this_one_is_answered(house):
    caller = house.come_in(GET + GET)
    assert house.asked[0].heard.count(b"GET") == 1
    house.asked[0].say(OK)
    assert house.asked[0].heard.count(b"GET") == 2
    caller.leave()
    settled(house)


def test_who_has_said_all_still_gets_its_answers(house):
    caller = house.come_in(GET + GET)
    caller.end()
    house.asked[0].say(OK)
    house.asked[0].say(OK)
    assert statuses(caller) == [200, 200]
    assert caller.is_gone
    assert house.inside() == 0


def test_after_the_last_request_nothing_more_is_read(house):
    caller = house.come_in(GET[:-2] + b"Connection: close\r\n\r\n" + GET)
    house.asked[0].say(OK)
    assert statuses(caller) == [200]
    assert caller.is_gone
    assert house.asked[0].heard.count(b"GET") == 1


@pytest.mark.parametrize("size", [LIMITS.most_buffer_bytes, LIMITS.most_head_bytes - 100])
def test_a_head_may_be_larger_than_what_is_buffered_of_a_body(house, size):
    caller = house.come_in(GET[:-2] + b"A: " + b"a" * (size - 50))
    caller.say(b"\r\n")
    caller.say(b"\r\n")
    house.asked[0].say(b"HTTP/1.1 200 OK\r\nB: " + b"b" * (size - 50))
    house.asked[0].say(b"\r\nContent-Length: 0\r\n\r\n")
    assert statuses(caller) == [200]


@pytest.mark.parametrize("at", range(1, len(GET)))
def test_every_split_point_of_a_head_gives_the_same_request(house, at):
    caller = house.come_in(GET[:at])
    caller.say(GET[at:])
    house.asked[0].say(OK[:at])
    house.asked[0].say(OK[at:])
    assert caller.heard == OK


@pytest.mark.parametrize("at", range(1, 20))
def test_and_every_split_point_of_one_with_a_bare_lf_its_refusal(house, at):
    bad = b"GET /open/a HTTP/1.1\nHost: h\r\n\r\n"
    caller = house.come_in(bad[: at + 2])
    caller.say(bad[at + 2 :])
    assert statuses(caller) == [400]
    assert house.asked == []


# Refusals.


@pytest.mark.parametrize(
    "refused",
    [
        FORBIDDEN,
        b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nsecret!!!",
        b"PUT /secret HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n" + GET,
        b"PUT /open/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
        b"\r\n\r\n0\r\n\r\n" + GET,
        b"GET /open/../secret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /open/a HTTP/1.1\nHost: h\n\n" + GET,
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_nothing_of_a_refused_request_reaches_anybody(house, refused):
    caller = house.come_in(refused)
    assert house.asked == []
    assert len(statuses(caller)) == 1
    assert statuses(caller)[0] in (400, 401)
    assert json.loads(caller.heard.rpartition(b"\r\n\r\n")[2])
    settled(house)


def test_a_refused_body_that_is_there_is_skipped_and_the_next_request_served(house):
    refused = b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nGET / HTT"
    house.come_in(refused + GET)
    assert house.asked[0].heard.startswith(b"GET /open/a HTTP/1.1\r\n")


def test_one_that_is_still_to_come_is_the_last_thing_on_its_connection(house):
    caller = house.come_in(b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nGET")
    assert b"Connection: close\r\n" in caller.heard
    assert caller.has_ended
    assert not caller.is_gone  # a reset might overtake the refusal
    caller.say(GET)
    caller.end()
    assert caller.is_gone
    assert house.asked == []


def test_we_listen_to_what_nobody_wants_only_so_long(house):
    caller = house.come_in(b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nGET")
    house.is_late()
    assert caller.is_gone


def test_and_only_so_much(house):
    caller = house.come_in(
        b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 9%d\r\n\r\n" % LINGER_BYTES
    )
    caller.say(bytes(2 * LINGER_BYTES))
    assert caller.is_gone


def test_a_body_that_is_expected_to_be_asked_for_is_asked_for(house):
    caller = house.come_in((PUT % 2).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert caller.heard == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert house.asked == []
    caller.say(b"{}")
    assert b"Expect" not in house.asked[0].heard
    house.asked[0].say(OK)
    assert statuses(caller) == [100, 200]


def test_but_not_for_a_request_that_is_refused(house):
    request = (
        b"PUT /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )
    assert statuses(house.come_in(request)) == [401]


# How many, and how long.


def test_as_many_requests_as_may_be_and_the_next_is_told_to_come_again(house):
    callers = [house.come_in(GET) for _ in range(3)]
    assert statuses(callers[2]) == [503]
    assert b"Retry-After: 1\r\n" in callers[2].heard
    assert b'reason="Overloaded"' in house.metrics.exposition()
    callers[0].leave()
    callers[2].say(GET)
    house.asked[-1].say(OK)
    assert statuses(callers[2]) == [503, 200]


def test_who_sends_slowly_takes_nobodys_place(house):
    slow = [house.come_in(PUT % 100 + b"{") for _ in range(10)]
    caller = house.come_in(GET)
    assert len(house.asked) == 1
    house.asked[0].say(OK)
    assert statuses(caller) == [200]
    assert all(each.heard == b"" for each in slow)


def test_when_they_have_sent_all_no_more_go_on_than_may_be(house):
    slow = [house.come_in(PUT % 100 + b"{") for _ in range(10)]
    for each in slow:
        each.say(b" " * 98 + b"}")
    assert [statuses(each) for each in slow] == [[], [], *[[503]] * 8]
    for up in house.asked:
        up.say(OK)
    assert [statuses(each) for each in slow] == [[200], [200], *[[503]] * 8]
    settled(house)


@pytest.mark.parametrize(
    ("said", "heard"),
    [(b"", []), (b"GET /op", [408]), (PUT % 9 + b"{", [408]), (GET, [504])],
    ids=["idle", "in a head", "in a body", "waiting for us"],
)
def test_whoever_is_too_slow_hears_whose_fault_it_was_but_not_who_is_idle(house, said, heard):
    caller = house.come_in(said)
    house.is_late()
    assert statuses(caller) == heard
    house.is_late()
    house.is_late()
    assert caller.is_gone
    settled(house)


def test_a_connection_too_many_is_turned_away_and_counted(house):
    door = house.doors[house.inbound]
    door._most = lambda: 2
    inside = [house.come_in(GET) for _ in range(2)]
    assert door.knock() is None
    assert (len(door.inside), door.turned_away) == (2, 1)
    inside[0].leave()
    assert not house.come_in(GET).is_gone


def test_who_has_only_knocked_takes_a_place_until_it_is_in_or_has_come_to_nothing(house):
    door = house.doors[house.inbound]
    door._most = lambda: 2
    first, second = door.knock(), door.knock()
    assert door.knock() is None
    assert (len(door.knocking), len(door.inside), door.turned_away) == (2, 0, 1)
    first.connection_made(Wire(first, house.later))
    door.forget(first)
    assert (len(door.knocking), len(door.inside), door.unknown) == (1, 1, 0)
    assert door.knock() is None
    door.forget(second)
    assert (door.taken(), door.unknown) == (1, 1)
    assert door.knock() is not None


def test_who_asks_and_never_reads_has_no_more_than_a_few_answers_kept(house):
    caller = house.come_in()
    caller.listen(False)
    caller.say(FORBIDDEN * 2_000)
    assert caller.most_held_bytes <= 65536 + 1024
    assert caller.unread_bytes > 0
    caller.listen()
    assert statuses(caller).count(401) == 2_000


def test_nor_a_few_large_ones(house):
    caller = house.come_in()
    caller.listen(False)
    caller.say(GET * 100)
    body = bytes(60_000)
    for _ in range(100):
        if house.asked and not house.asked[0].is_gone:
            house.asked[0].say(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body)
    assert caller.most_held_bytes <= 3 * 65536


def test_one_that_never_reads_does_not_stay_for_ever(house):
    caller = house.come_in()
    caller.listen(False)
    caller.say(GET)
    house.asked[0].say(OK)
    house.is_late()  # it was idle: closed, as soon as it has read
    assert not caller.is_gone
    house.is_late()
    assert caller.is_gone
    assert house.inside() == 0


def test_what_is_sent_ahead_waits_in_the_kernel(house):
    caller = house.come_in(GET)
    caller.say(GET * 10_000)
    assert caller.unread_bytes > 10_000 * len(GET) - 65536 * 2 - LIMITS.most_buffer_bytes


# Leaving.


def test_who_asks_while_we_leave_hears_that_it_was_the_last_answer(house):
    caller = house.come_in(GET)
    house.inbound.is_leaving = True
    house.asked[0].say(OK)
    assert b"Connection: close" not in caller.heard  # it was read before that
    caller.say(GET)
    house.asked[0].say(OK)
    assert caller.heard.endswith(b"Connection: close\r\n\r\nok")
    assert caller.is_gone


def test_a_mistake_of_ours_ends_one_connection_and_no_other(house, monkeypatch, capsys):
    other = house.come_in(GET)
    monkeypatch.setattr(house.inbound._spans, "below", lambda header: 1 / 0)
    caller = house.come_in(GET)
    assert caller.is_cut
    assert "ZeroDivisionError" in capsys.readouterr().err
    house.asked[0].say(OK)
    assert statuses(other) == [200]
    settled(house)


def test_the_deadline_of_who_asked_our_service_is_that_of_its_own_question(house):
    house.come_in(b"GET /open/a HTTP/1.1\r\nHost: h\r\nX-Deadline-Ms: 200\r\n\r\n")
    trace = house.asked[0].heard.partition(b"traceparent: ")[2].partition(b"\r\n")[0]
    question = b"GET http://inventory/ HTTP/1.1\r\nHost: inventory\r\ntraceparent: %b\r\n\r\n"
    house.go_out(question % trace)
    told = house.asked[1].heard.partition(b"X-Deadline-Ms: ")[2].partition(b"\r\n")[0]
    assert 0 < int(told) < 200
    assert trace[:36] in house.asked[1].heard
    assert trace not in house.asked[1].heard
