"""The judge must be able to say no: a naive relay is caught, and told from what is merely lax."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.hostile import CASES, Case, Upstream, Verdict, judge, play
from lab.hostile.__main__ import main
from lab.hostile.judge import Result
from lab.hostile.message import read_request, read_response
from lab.hostile.outcomes import lenient_path
from lab.hostile.proxies import running
from lab.hostile.proxies.start import Plan

NAIVE = Path(__file__).with_name("naive_relay.py")
BY_NUMBER = {case.number: case for case in CASES}
SMUGGLES = ("1", "146", "147", "58", "60c", "701", "707", "709")
LETS_THROUGH = ("2", "5", "8", "14", "16", "20", "21", "23", "33", "34", "36", "40a", "43")
HOLDS = ("31", "154", "156", "277", "282", "725")

Tries = Callable[[str], Verdict]


@pytest.fixture
def tries() -> Tries:
    """Plays a case through a naive relay of its own, as one poisoned by another says nothing."""

    def start(plan: Plan) -> list[str]:
        return [sys.executable, str(NAIVE), str(plan.port), str(plan.upstream_port)]

    def try_it(number: str) -> Verdict:
        case: Case = BY_NUMBER[number]
        with (
            contextlib.closing(Upstream()) as upstream,
            running(start, upstream.port) as address,
        ):
            return judge(case, play(case, address, upstream))

    return try_it


@pytest.mark.parametrize("number", SMUGGLES)
def test_a_naive_relay_is_caught_smuggling(number: str, tries: Tries) -> None:
    verdict = tries(number)
    assert verdict.result is Result.SMUGGLED, verdict.reason


@pytest.mark.parametrize("number", LETS_THROUGH)
def test_a_naive_relay_lets_through_what_nobody_may(number: str, tries: Tries) -> None:
    assert not tries(number).is_held


@pytest.mark.parametrize("number", HOLDS)
def test_a_naive_relay_holds_what_asks_little(number: str, tries: Tries) -> None:
    verdict = tries(number)
    assert verdict.is_held, verdict.reason


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_a_fault(head: bytes) -> None:
    request = read_request(head)
    assert request is not None
    assert request.faults


def test_a_plain_request_has_no_fault() -> None:
    request = read_request(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiX")
    assert request is not None
    assert (request.faults, request.body, request.is_complete) == ((), b"hi", True)
    assert request.size_bytes == 50


@pytest.mark.parametrize(
    ("seen", "method", "has_ended", "is_complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "GET", True, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD", False, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n", "GET", True, False),
        (b"HTTP/1.1 200 OK\r\n\r\nh", "GET", False, False),
        (b"HTTP/1.1 200 OK\r\n\r\nh", "GET", True, True),
        (b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n", "GET", False, True),
    ],
)
def test_a_client_knows_whether_an_answer_is_whole(
    seen: bytes, method: str, has_ended: bool, is_complete: bool
) -> None:
    answer = read_response(seen, method, has_ended)
    assert answer is not None
    assert answer.is_complete is is_complete


@pytest.mark.parametrize(
    "spelling", ["/open/../closed", "/open/%2e%2e/closed", "//closed", "/open\\..\\closed"]
)
def test_a_path_is_read_as_the_most_obliging_server_would(spelling: str) -> None:
    assert lenient_path(spelling) == "/closed"


def test_a_case_that_there_is_not_is_refused(capsys):
    assert main(["--case", "9999"]) == 2
    assert "case 9999; accepted: 1 to " in capsys.readouterr().err
