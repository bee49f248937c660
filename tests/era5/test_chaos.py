"""Callers and instances do anything at all, in any order: nobody hears what is not his, and when
all have gone nothing is left of them.
"""

import random
import re

import pytest

from era5_sidecar.bodies import chunk_of
from era5_sidecar.chunked import LAST
from tests.era5.test_exchange import built
from tests.era5.wires import House, Wire

ASKED = re.compile(rb"(?:GET|PUT|POST) (/open/\d+) HTTP/1\.1\r\n")
TOLD = re.compile(rb"<(/open/\d+)>")
HISTORIES, STEPS = 250, 80
NONSENSE = (b"\0", b"HTTP/1.1 2x0 OK\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\nc\r\n\r\n")


class Caller:
    """Somebody with an endless list of wishes, each for a path that nobody else asks for."""

    def __init__(self, house: House, is_outside: bool, rng: random.Random) -> None:
        self.wire = house.come_in() if is_outside else house.go_out()
        self.wishes: list[bytes] = []
        self._rng = rng
        self._unsaid = b""

    def act(self, number: int) -> None:
        rng = self._rng
        if not self._unsaid:
            self._unsaid = self._wish(b"/open/%d" % number)
        deed = rng.random()
        if self.wire.is_gone or deed < 0.1:
            self.wire.listen(rng.random() < 0.7)
        elif deed < 0.13:
            self.wire.leave()
        elif deed < 0.15:
            self.wire.end()
        elif deed < 0.17:
            self.wire.say(rng.choice(NONSENSE))
        else:
            size = rng.choice((1, 20, 1000, 100_000))
            piece, self._unsaid = self._unsaid[:size], self._unsaid[size:]
            self.wire.say(piece)

    def _wish(self, target: bytes) -> bytes:
        rng = self._rng
        self.wishes.append(target)
        body = b"x" * rng.choice((0, 0, 0, 10, 3000, 30_000))
        method = rng.choice((b"PUT", b"POST")) if body else b"GET"
        head = b"%b %b HTTP/1.1\r\nHost: inventory\r\n" % (method, target)
        if body and rng.random() < 0.5:
            half = len(body) // 2
            framed = chunk_of(body[:half]) + chunk_of(body[half:]) + LAST
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Asked:
    """An instance, at the other end of one connection to it."""

    def __init__(self, wire: Wire, rng: random.Random) -> None:
        self.wire = wire
        self._rng = rng
        self._answered = 0
        self._unsaid = b""

    def act(self) -> None:
        rng, questions = self._rng, ASKED.findall(self.wire.heard)
        if not self._unsaid and len(questions) > self._answered:
            self._unsaid = self._answer(questions[self._answered])
            self._answered += 1
        deed = rng.random()
        if self.wire.is_gone or deed < 0.1:
            self.wire.listen(rng.random() < 0.7)
        elif deed < 0.14:
            self.wire.leave()
        elif deed < 0.17:
            self.wire.end()
        elif deed < 0.19:
            self.wire.say(rng.choice(NONSENSE))
        elif self._unsaid:
            size = rng.choice((1, 50, 1000, 100_000))
            piece, self._unsaid = self._unsaid[:size], self._unsaid[size:]
            self.wire.say(piece)

    def _answer(self, target: bytes) -> bytes:
        rng = self._rng
        body = b"<%b>" % target + b"y" * rng.choice((0, 0, 10, 5000, 200_000))
        status = rng.choice((200, 200, 200, 200, 404, 500, 503, 429))
        head = b"HTTP/1.1 %d X\r\n" % status + rng.choice((b"", b"X-Certain: true\r\n"))
        if rng.random() < 0.1:
            head = b"HTTP/1.1 100 X\r\n\r\n" + head
        if rng.random() < 0.3:
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk_of(body) + LAST
        if rng.random() < 0.1:
            return head + b"\r\n" + body
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def is_in_order(part: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(each in rest for each in part)


@pytest.mark.parametrize("part", range(4))
def test_whatever_they_do_nobody_hears_another_and_nothing_is_left(part, seed, monkeypatch, capsys):
    for history in range(HISTORIES // 4):
        rng = random.Random(f"{seed} {part} {history}")
        house = built(monkeypatch, instances=rng.choice((1, 3)))
        callers: list[Caller] = []
        instances: list[Asked] = []
        for number in range(STEPS):
            instances += [Asked(each, rng) for each in house.asked[len(instances) :]]
            deed = rng.random()
            if deed < 0.1 or not callers:
                callers.append(Caller(house, rng.random() < 0.5, rng))
            elif deed < 0.5 and instances:
                rng.choice(instances).act()
            elif deed < 0.52:
                house.is_late()
            elif deed < 0.54:
                house.refusing ^= {house.instances[0].instance.name}
            else:
                rng.choice(callers).act(number)
        for each in callers:
            assert is_in_order(TOLD.findall(each.wire.heard), each.wishes)
            each.wire.leave()
        assert_nothing_is_left(house)
    assert "Traceback" not in capsys.readouterr().err


def assert_nothing_is_left(house: House) -> None:
    assert house.inside() == 0
    assert house.inbound.in_flight() == 0
    assert house.inbound.waits == {}
    assert [each.in_flight for each in house.instances] == [0] * len(house.instances)
    assert all(each.breaker.admits(1e12) for each in house.instances)
    idle = sum(len(each.idle) for each in [*house.instances, house.inbound._app])
    house.is_late()  # who was written to and did not read
    assert idle == len(house.sweep.watched) == sum(not each.is_gone for each in house.asked)
