"""One request to one instance: stale connections, early answers, callers and instances that leave.

Wires (wires.py) instead of sockets; nothing waits.
"""

import json

import pytest

from era4_framework.config import BackoffConfig, BreakerConfig, ClientConfig, RetryConfig
from era4_framework.policies.breaker import State
from era5_sidecar.config import (
    InboundConfig,
    LimitsConfig,
    OutboundConfig,
    Rule,
    SidecarConfig,
    UpstreamConfig,
)
from tests.era5.wires import House, Wire

GET = b"GET http://inventory/stock HTTP/1.1\r\nHost: inventory\r\n\r\n"
POST = b"POST http://inventory/stock HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = 300_000  # more than is kept for another attempt
LIMITS = LimitsConfig(replay_bytes=4096, most_buffer_bytes=8192)
CLIENT = ClientConfig(
    retry=RetryConfig(attempts=2, backoff=BackoffConfig(base_s=0.001, cap_s=0.001)),
    breaker=BreakerConfig(consecutive_failures=2),
)


@pytest.fixture
def house(monkeypatch) -> House:
    return built(monkeypatch)


def built(monkeypatch, instances: int = 1) -> House:
    endpoints = tuple(f"http://127.0.0.1:{each}" for each in range(1, 1 + instances))
    services = {"inventory": UpstreamConfig(client=CLIENT, endpoints=endpoints)}
    config = SidecarConfig(
        service="orders",
        instance="orders-1",
        app="unix:app.sock",
        admin_listen="http://127.0.0.1:0",
        inbound=InboundConfig(
            listen="http://127.0.0.1:0",
            is_edge=True,
            most_in_flight=2,
            may=(Rule(("*",), "*", "/open/"),),
        ),
        outbound=OutboundConfig("http://127.0.0.1:0", services),
        limits=LIMITS,
    )
    return House(config, monkeypatch)


def large(method: bytes = b"PUT", length: int = LARGE) -> bytes:
    """The head of a request whose body is too large to be kept."""
    told = method, length
    return b"%b http://inventory/stock HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % told


def asked_once(house: House, request: bytes = GET) -> tuple[Wire, Wire]:
    caller = house.go_out(request)
    return caller, house.asked[-1]


def kept(house: House) -> tuple[Wire, Wire]:
    """A caller that was answered, and a connection that is kept."""
    caller, up = asked_once(house)
    up.say(OK)
    assert len(house.instances[0].idle) == 1
    return caller, up


def problem(caller: Wire) -> dict:
    """The last answer, which is ours."""
    return json.loads(caller.heard.rpartition(b"\r\n\r\n")[2])


def settled(house: House) -> None:
    assert [each.in_flight for each in house.instances] == [0] * len(house.instances)
    assert house.inbound.in_flight() == 0
    assert house.waits == house.inbound.waits == {}


# Kept connections.


def test_a_connection_is_kept_and_used_again(house):
    caller, up = kept(house)
    caller.say(GET)
    up.say(OK)
    assert caller.heard.count(b"200 OK") == 2
    assert len(house.asked) == 1
    settled(house)


def test_a_stale_one_is_not_the_instances_fault_and_a_fresh_one_is_asked(house):
    caller, up = kept(house)
    caller.say(GET)
    up.leave()
    assert [wire.heard.count(b"GET /stock") for wire in house.asked] == [2, 1]
    house.asked[1].say(OK)
    assert caller.heard.count(b"200 OK") == 2
    assert house.pauses == []  # it was no attempt
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


def test_if_it_was_stale_all_others_are_given_up(house):
    callers = [house.go_out(GET) for _ in range(3)]
    for up in [*house.asked]:
        up.say(OK)
    assert len(house.instances[0].idle) == 3
    callers[0].say(GET)
    house.asked[2].leave()  # used last, so asked first
    assert [wire.is_gone for wire in house.asked] == [True, True, True, False]


def test_what_may_not_be_repeated_is_not_asked_again(house):
    caller, up = kept(house)
    caller.say(POST)
    up.leave()
    assert len(house.asked) == 1
    assert problem(caller)["certain"] is False
    settled(house)


def test_a_stale_connection_with_a_part_of_an_answer_was_none(house):
    caller, up = kept(house)
    caller.say(GET)
    up.say(b"HTTP/1.1 200")
    up.leave()
    assert len(house.pauses) == 1  # another attempt, which counts
    house.asked[1].say(OK)
    assert caller.heard.count(b"200 OK") == 2
    assert b'verdict="failure"' in house.metrics.exposition()


def test_nor_is_one_asked_again_whose_body_is_gone(house):
    caller, up = kept(house)
    caller.say(large() + b"x" * 9000)
    up.leave()
    assert len(house.asked) == 1
    assert problem(caller)["certain"] is False
    settled(house)


def test_one_that_ended_while_it_was_idle_is_not_used(house):
    caller, up = kept(house)
    up.end()
    caller.say(GET)
    assert up.heard.count(b"GET") == 1
    assert house.asked[1].heard.count(b"GET") == 1


def test_an_answer_to_nothing_is_nobodys(house):
    caller, up = kept(house)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert up.is_cut
    caller.say(GET)
    house.asked[1].say(OK)
    assert b"evil" not in caller.heard


def test_nor_is_what_follows_an_answer(house):
    caller, up = asked_once(house)
    up.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert up.is_cut
    caller.say(GET)
    house.asked[1].say(OK)
    assert b"evil" not in caller.heard
    assert caller.heard.count(b"200 OK") == 2


# Answers.


def test_interim_answers_end_here(house):
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 103 X\r\nLink: a\r\n\r\n" + OK)
    assert caller.heard == OK


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 9999\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"\r\nabc",
    ],
    ids=["length", "chunked", "until close"],
)
def test_an_answer_that_is_cut_never_reads_as_whole(house, head):
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 200 OK\r\n" + head)
    up.leave()
    assert caller.heard.endswith((b"abc", b"abc\r\n"))
    assert caller.is_cut
    settled(house)


def test_a_short_one_that_is_cut_was_none_and_another_is_asked(monkeypatch):
    house = built(monkeypatch, instances=2)
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    up.leave()
    assert caller.heard == b""
    assert house.asked[1].instance != up.instance
    house.asked[1].say(OK)
    assert caller.heard.endswith(b"\r\n\r\nok")
    settled(house)


def test_what_may_not_be_asked_twice_is_told_to_be_uncertain(house):
    caller, up = asked_once(house, POST)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    up.leave()
    assert problem(caller)["certain"] is False
    assert "it ended in mid-answer" in problem(caller)["detail"]
    settled(house)


def test_one_that_comes_in_pieces_is_relayed_as_one(house):
    caller, up = asked_once(house)
    for piece in (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"abcd", b"efghi"):
        assert caller.heard == b""
        up.say(piece)
    assert caller.heard.endswith(b"\r\n\r\nabcdefghi")
    settled(house)


def test_one_that_ends_with_its_connection_goes_on_in_chunks(house):
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 200 OK\r\n\r\nabc")
    up.end()
    chunks = b"3\r\nabc\r\n0\r\n\r\n"
    assert caller.heard == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert not caller.is_gone


@pytest.mark.parametrize(
    "nonsense",
    [b"SSH-2.0-x\r\n\r\n", b"\x15\x03\x01", b"HTTP/1.1 101 X\r\n\r\n", b"HTTP/1.1 200 OK\n\n"],
)
def test_nonsense_is_a_bad_answer_of_the_instance(house, nonsense):
    caller, up = asked_once(house, POST)
    up.say(nonsense)
    assert b"HTTP/1.1 502 Bad Gateway" in caller.heard
    assert problem(caller)["certain"] is False
    assert up.is_gone
    settled(house)


def test_a_chunk_that_is_none_cuts_the_answer(house):
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n")
    assert caller.is_cut
    assert not caller.heard.endswith(b"0\r\n\r\n")


def test_a_silence_is_a_timeout_and_two_open_the_breaker(house):
    caller = house.go_out(GET)
    house.is_late()
    house.is_late()
    assert b"HTTP/1.1 504" in caller.heard
    assert problem(caller)["certain"] is False
    assert house.instances[0].breaker.state is State.OPEN
    assert [wire.is_gone for wire in house.asked] == [True, True]
    settled(house)


def test_a_refused_connection_is_certain(monkeypatch):
    house = built(monkeypatch)
    house.refusing = {"http://127.0.0.1:1"}
    caller = house.go_out(POST)
    assert b"HTTP/1.1 503" in caller.heard
    assert problem(caller)["certain"] is True
    assert len(house.pauses) == 1
    settled(house)


def test_but_not_after_an_attempt_that_was_lost(monkeypatch):
    house = built(monkeypatch)
    caller, up = asked_once(house)
    house.refusing = {"http://127.0.0.1:1"}
    up.leave()
    assert problem(caller)["certain"] is False
    settled(house)


def test_a_failed_answer_is_judged_before_anybody_sees_it(monkeypatch):
    house = built(monkeypatch, instances=2)
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 503 X\r\nX-Certain: true\r\nContent-Length: 3\r\n\r\nno!")
    assert caller.heard == b""
    assert house.asked[1].instance != up.instance
    house.asked[1].say(OK)
    assert caller.heard == OK


def test_the_last_one_is_relayed_in_its_own_words_with_our_word_on_certainty(house):
    caller, up = asked_once(house, POST)
    up.say(b"HTTP/1.1 500 X\r\nX-Certain: true\r\nTransfer-Encoding: chunked\r\n\r\n")
    up.say(b"3\r\nno!\r\n0\r\n\r\n")
    told = b"HTTP/1.1 500 X\r\nContent-Length: 3\r\nX-Certain: false\r\n\r\nno!"
    assert caller.heard == told
    assert len(house.asked) == 1


def test_one_too_large_to_be_judged_is_told_in_our_words(house):
    caller, up = asked_once(house, POST)
    up.say(b"HTTP/1.1 500 X\r\nContent-Length: 999999\r\n\r\n" + b"x" * 200_000)
    assert problem(caller)["certain"] is False
    assert up.is_gone
    assert up.unread_bytes > 0  # it was not read to its end
    settled(house)


# Uploads.


def test_a_large_body_goes_on_as_it_comes(house):
    caller, up = asked_once(house, large(length=100_000) + b"a" * 50_000)
    assert up.heard.endswith(b"a" * 50_000)
    caller.say(b"b" * 50_000 + GET)
    assert up.heard.endswith(b"b" * 50_000)
    up.say(OK)
    up.say(OK)
    assert caller.heard == OK + OK
    settled(house)


def test_an_early_answer_ends_the_upload_and_the_connections_of_both(house):
    caller, up = asked_once(house, large() + b"a" * 9000)
    up.say(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
    assert b"HTTP/1.1 413 X" in caller.heard
    assert b"Connection: close" in caller.heard
    assert up.is_gone
    heard = up.heard
    caller.say(b"b" * 9000 + GET)  # what comes now is no request
    assert up.heard == heard
    assert len(house.asked) == 1
    settled(house)


def test_who_is_told_early_can_read_it_although_it_still_sends(house):
    caller, up = asked_once(house, large() + b"a" * 9000)
    up.say(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
    assert caller.has_ended  # our half: bytes that nobody reads would make it a reset
    assert not caller.is_gone
    caller.end()
    assert caller.is_gone
    assert house.inside() == 0


def test_a_caller_that_sends_no_more_has_itself_to_blame(house):
    caller, up = asked_once(house, large() + b"a" * 9000)
    house.is_late()
    assert b"HTTP/1.1 408" in caller.heard
    assert up.is_gone
    assert house.instances[0].breaker.state is State.CLOSED
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


def test_an_instance_that_does_not_read_is_to_blame_and_not_the_caller(house):
    caller = house.go_out(large())
    caller.say(b"a")
    up = house.asked[0]
    up.listen(False)
    caller.say(b"a" * (LARGE - 1))
    house.is_late()
    assert b" 408 " not in caller.heard
    assert problem(caller)["certain"] is False
    assert b'verdict="failure"' in house.metrics.exposition()
    settled(house)


def test_chunks_go_on_as_chunks_of_our_own(house):
    head = b"PUT http://inventory/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    caller = house.go_out(head + b"1388;x\r\n" + b"a" * 5000 + b"\r\n")
    up = house.asked[0]
    assert up.heard.endswith(b"\r\n\r\n1388\r\n" + b"a" * 5000 + b"\r\n")
    caller.say(b"1\r\nb\r\n0\r\nX: trailer\r\n\r\n")
    assert up.heard.endswith(b"\r\n1\r\nb\r\n0\r\n\r\n")
    up.say(OK)
    assert caller.heard == OK


def test_a_chunk_that_is_none_is_the_callers_fault_and_never_ends_the_request(house):
    head = b"PUT http://inventory/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    caller = house.go_out(head + b"1388\r\n" + b"a" * 5000 + b"\r\nnonsense\r\n")
    assert b"HTTP/1.1 400" in caller.heard
    for up in house.asked:
        assert up.is_gone
        assert not up.heard.endswith(b"0\r\n\r\n")
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


# Who leaves.


@pytest.mark.parametrize(
    "request_",
    [GET, POST, large() + b"a" * 9000],
    ids=["without a body", "with one", "with one that is under way"],
)
def test_if_the_caller_leaves_the_instance_is_left_and_nothing_is_learned(house, request_):
    caller, up = asked_once(house, request_)
    caller.leave()
    assert up.is_cut
    assert house.instances[0].breaker.state is State.CLOSED
    assert b"verdict" not in house.metrics.exposition().replace(b"# HELP", b"")
    assert house.inside() == 0
    settled(house)


def test_if_it_leaves_during_the_answer_too(house):
    caller, up = asked_once(house)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"a" * 4000)
    caller.leave()
    assert up.is_cut
    assert house.inside() == 0
    settled(house)


def test_a_probe_whose_caller_leaves_gives_its_place_back(house):
    endpoint = house.instances[0]
    for _ in range(2):
        endpoint.breaker.record(endpoint.breaker.admit(0.0), _failure(), 0.0)
    caller, _ = asked_once(house)
    assert not endpoint.admits(1e9)
    caller.leave()
    assert endpoint.admits(1e9)


def _failure():
    from era4_framework.policies.breaker import Verdict

    return Verdict.FAILURE


# Back-pressure.


def test_an_instance_that_reads_slowly_slows_its_caller_down(house):
    caller = house.go_out(large(length=10_000_000))
    caller.say(b"a")
    up = house.asked[0]
    up.listen(False)
    caller.say(b"a" * 2_000_000)
    assert up.most_held_bytes <= 65536 * 2 + LIMITS.most_buffer_bytes
    assert caller.unread_bytes >= 2_000_000 - up.most_held_bytes - 65536 * 2
    up.listen()
    assert caller.unread_bytes == 0
    assert up.heard.count(b"a") >= 2_000_000


def test_a_caller_that_reads_slowly_slows_the_instance_down(house):
    caller, up = asked_once(house)
    caller.listen(False)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 2_000_000)
    assert caller.most_held_bytes <= 65536 * 2 + LIMITS.most_buffer_bytes
    assert up.unread_bytes >= 2_000_000 - caller.most_held_bytes - 65536 * 2
    caller.listen()
    assert caller.heard.endswith(b"a" * 2_000_000)
    assert up.unread_bytes == 0


def test_one_that_reads_nothing_is_cut_in_the_end_and_no_instance_is_blamed(house):
    caller, up = asked_once(house)
    caller.listen(False)
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 2_000_000)
    house.is_late()
    assert caller.is_cut
    assert up.is_gone
    assert house.inside() == 0
    assert b'verdict="failure"' not in house.metrics.exposition()
    settled(house)


def test_a_connection_that_is_kept_is_listened_to(house):
    caller, up = asked_once(house)
    caller.listen(False)
    body = b"a" * 190_000
    up.say(b"HTTP/1.1 200 OK\r\nContent-Length: 190000\r\n\r\n" + body)
    caller.listen()
    assert caller.heard.endswith(body)
    assert len(house.instances[0].idle) == 1
    assert not up.is_paused
    up.say(b"?")  # an answer to nothing: it is seen at once
    assert up.is_cut
