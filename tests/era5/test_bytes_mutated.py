"""Messages that nobody thought of: valid ones, damaged at random, seeded.

Our proxy may refuse any of them. What it sends on, either way, must be what a strict reader finds
in the bytes, in that order, and nothing else.
"""

import contextlib
import random
import re
from collections.abc import Iterator

import pytest

from lab.hostile import Upstream
from lab.hostile.case import FIN, NEXT, PROBE_PATH, SMUGGLED
from lab.hostile.cases.shape import CHUNKED, HELLO, answer, get, post, request
from lab.hostile.client import Client
from lab.hostile.message import Message, read_request, read_response
from lab.hostile.play import PROBE
from lab.hostile.proxies import PROXIES, running
from lab.hostile.upstream import NUMBER

ROUNDS, EACH = 8, 40
VALID = (
    get(b"X-A: b"),
    post(HELLO, body=b"hello"),
    post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    post(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
    post(CHUNKED, body=b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: b\r\n\r\n"),
    post(CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    request(b"HEAD"),
    get(target=b"http://b/open/first"),
)
ANSWERS = (
    answer(HELLO, body=b"hello"),
    answer(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
    answer(CHUNKED, body=b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: b\r\n\r\n"),
    answer(body=b"hello"),
    answer(HELLO, line=b"HTTP/1.1 304 Not Modified"),
    answer(line=b"HTTP/1.1 103 Early Hints") + answer(HELLO, body=b"hello"),
    answer(HELLO, body=b"hello") + answer(b"Content-Length: 6", body=b"STOLEN"),
)
LINES = (
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: +5",
    b"content-length:5",
    CHUNKED,
    b"Transfer-Encoding: identity",
    b"transfer-encoding:\tchunked",
    b"Connection: close",
    b"Connection: content-length, transfer-encoding, host",
    b"Expect: 100-continue",
    b"Host: b",
    b" folded",
    b"Upgrade: h2c",
)
BYTES = b"\r\n\x00 \t:;,0123456789abcdefx-+_./%\x0b\x0c\x1c\x7f\x85\xa0\xff\"'"


def mutate(message: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(message))
    match rng.randrange(6):
        case 0:
            return message[:at] + bytes([rng.choice(BYTES)]) + message[at:]
        case 1:
            return message[:at] + message[at + 1 :]
        case 2:
            return message[:at] + bytes([rng.choice(BYTES)]) + message[at + 1 :]
        case 3:
            line, end, rest = message.partition(b"\r\n")
            return line + end + rng.choice(LINES) + rng.choice((b"\r\n", b"\n", b"\r")) + rest
        case 4:
            lines = message.split(b"\r\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            return b"\r\n".join(lines)
        case _:
            end = rng.choice((b"\r\n", b"\n"))
            return message.replace(end, rng.choice((b"\n", b"\r", b"\r\r\n", b"\r\n ")), 1)


def strictly(sent: bytes) -> list[Message]:
    """What a strict reader finds, up to the first fault. Trailers may end at any hop."""
    found: list[Message] = []
    while (message := read_request(sent)) and message.is_complete:
        if hard_faults(message):
            break
        found.append(message)
        sent = sent[message.size_bytes :]
    return found


def asked(message: Message) -> tuple[str, str, bytes]:
    return message.method, re.sub("^http://[^/]*", "", message.target), message.body


def is_within(some: list, more: list) -> bool:
    """Whether `some` are in `more`, in the same order."""
    rest = iter(more)
    return all(each in rest for each in some)


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[tuple[str, int], Upstream]]:
    with (
        contextlib.closing(Upstream()) as upstream,
        running(PROXIES["ours"], upstream.port) as proxy,
    ):
        yield proxy, upstream


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nothing_goes_on_that_a_strict_reader_does_not_find(number, played, seed) -> None:
    proxy, upstream = played
    rng = random.Random(f"{seed}/{number}")
    for _ in range(EACH):
        sent = b"".join(rng.choices(VALID, k=rng.randint(1, 3)))
        for _ in range(rng.randint(1, 3)):
            sent = mutate(sent, rng)
        sent += NEXT
        upstream.begin((), at_head=False)
        heard = Client(proxy).play((sent, FIN), ("GET",) * 20)
        probe = Client(proxy).play((PROBE,), ("GET",))
        came = [r.request for r in upstream.received() if r.request]
        told = f"{sent!r}: {heard}; upstream: {came}"
        assert [a.status for a in probe.answers] == [200], told
        assert not [fault for request in came for fault in request.faults], told
        whole = [asked(r) for r in came if r.is_complete and r.target != PROBE_PATH]
        assert is_within(whole, [asked(m) for m in strictly(sent)]), told
        assert len([a for a in heard.answers if a.status == 200]) <= len(whole), told


def strict_answer(sent: bytes) -> tuple[int, bytes] | None:
    """Status and body of the first final answer, if a strict reader finds one."""
    while (found := read_response(sent, "GET", has_ended=True)) and not hard_faults(found):
        if found.status >= 200:
            return (found.status, found.body) if found.is_complete else None
        sent = sent[found.size_bytes :]
    return None


def hard_faults(message: Message) -> list[str]:
    return [fault for fault in message.faults if not fault.startswith("trailer ")]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_answer_is_given_that_a_strict_reader_does_not_find(number, played, seed) -> None:
    proxy, upstream = played
    rng = random.Random(f"{seed}/answers/{number}")
    for _ in range(EACH):
        sent = rng.choice(ANSWERS)
        for _ in range(rng.randint(1, 3)):
            sent = mutate(sent, rng)
        upstream.begin((sent, FIN), at_head=False)
        heard = Client(proxy).play((get() + NEXT,), ("GET", "GET"))
        told = f"{sent!r}: {heard}"
        first, *others = heard.answers
        assert not first.faults, told
        if first.is_complete and first.status != 502:
            assert (first.status, first.body) == strict_answer(sent), told
        assert all(other.values(NUMBER) for other in others), told
