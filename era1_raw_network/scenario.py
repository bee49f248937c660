"""What may happen to a conversation: a wire and two applications, dealt by a seed.

The cards are few and rough on purpose (a loss of none, 1, 5, 10 or 30 %, a window of 1, 2, 5, 40 or
8,192 segments): a thousand hands then hold every pair of them, and most triples.
"""

from dataclasses import dataclass, replace
from random import Random

from era1_raw_network.codec import decode
from era1_raw_network.connection import Connection
from era1_raw_network.endpoint import Endpoint
from era1_raw_network.states import State
from lab.wire import Knobs
from lab.wire.virtual import Virtual

LAST_CARD_S = 3.0  # whatever is planned has been done by then
PEER = ("the other end of the wire", 0)


@dataclass(frozen=True)
class Side:
    """What one application does. `closes_at_s` None: when the peer has ended its half."""

    messages: tuple[bytes, ...]
    says_at_s: tuple[float, ...]
    listens_every_s: float  # 0: at once; else its window fills up
    closes_at_s: float | None


@dataclass(frozen=True)
class Scenario:
    """One seed's deal. `excused`: an error may be reported, for the fault was that bad."""

    seed: int
    knobs: tuple[Knobs, Knobs]
    sides: tuple[Side, Side]
    window: int
    cut: tuple[float, float] | None
    forgets_at_s: float | None
    excused: bool


class Station:
    """One end of the wire: an endpoint, and the application that uses it."""

    def __init__(self, endpoint: Endpoint, side: Side) -> None:
        self.endpoint = endpoint
        self.side = side
        self.said: list[bytes] = []
        self.heard: list[bytes] = []
        self.connection: Connection | None = None
        self._hung_up = False

    def receive(self, frame: bytes, now: float) -> None:
        """See `lab.wire.virtual.Endpoint`; so are the next three."""
        segment = decode(frame)
        if segment is None:
            self.endpoint.counts["malformed"] += 1
            return
        connection = self.endpoint.on_segment(PEER, segment, now)
        if self.connection is None and connection is not None:
            self.adopt(connection, now)
        if not self.side.listens_every_s:
            self.listen(now)

    def outgoing(self, now: float) -> list[bytes]:
        return [packet for _, packet in self.endpoint.outgoing(now)]

    def next_wakeup(self) -> float | None:
        return self.endpoint.next_wakeup()

    def wake(self, now: float) -> None:
        self.endpoint.wake(now)

    def adopt(self, connection: Connection, now: float) -> None:
        """This is the conversation; catch up with what was meant to happen before it was there."""
        self.connection = connection
        for message in self.said:
            connection.send(message)
        if self._hung_up:
            connection.close(now)

    def say(self, message: bytes) -> None:
        """Queue a message."""
        self.said.append(message)
        if self.connection is not None:
            self.connection.send(message)

    def listen(self, now: float) -> None:
        """Take what has arrived."""
        if self.connection is None:
            return
        self.heard += self.connection.take()
        if self.connection.ended and self.side.closes_at_s is None:
            self.close(now)

    def close(self, now: float) -> None:
        """End this half."""
        self._hung_up = True
        if self.connection is not None:
            self.connection.close(now)

    def forget(self, endpoint: Endpoint, now: float) -> None:
        """Start again with another endpoint, as a process does that was killed and restarted."""
        self.listen(now)
        self.endpoint = endpoint
        self.connection = None

    @property
    def over(self) -> bool:
        """Nothing will happen here any more."""
        return self.connection is None or self.connection.state is State.CLOSED


def deal(seed: int) -> Scenario:
    """The scenario of a seed: always the same."""
    random = Random(f"sweep/{seed}")
    there, back = _knobs(random), _knobs(random)
    cut = None
    if random.random() < 0.2:
        begins = random.uniform(0.0, 1.0)
        cut = (begins, begins + random.choice((0.1, 0.5, 1.5, 4.0, 9.0)))
    forgets_at_s = random.uniform(0.05, 1.0) if random.random() < 0.1 else None
    rough = max(there.loss + there.corrupt, back.loss + back.corrupt) > 0.15
    return Scenario(
        seed=seed,
        knobs=(there, back),
        sides=(_side(random, caller=True), _side(random, caller=False)),
        window=random.choice((1, 2, 5, 40, 8192)),
        cut=cut,
        forgets_at_s=forgets_at_s,
        excused=rough or bool(cut and cut[1] - cut[0] > 0.3) or forgets_at_s is not None,
    )


def _knobs(random: Random) -> Knobs:
    delay_s = random.choice((0.0, 0.0005, 0.005, 0.02, 0.1))
    slow = random.random() < 0.3
    return Knobs(
        loss=random.choice((0.0, 0.0, 0.01, 0.05, 0.1, 0.3)),
        duplicate=random.choice((0.0, 0.0, 0.05, 0.5)),
        reorder=random.choice((0.0, 0.0, 0.05, 0.3)),
        corrupt=random.choice((0.0, 0.0, 0.02)),
        delay_s=delay_s,
        jitter_s=random.choice((0.0, delay_s / 2)),
        rate_bps=random.choice((1e6, 1e7)) if slow else 0.0,
        queue_bytes=random.choice((0, 20_000)) if slow else 0,
        mtu_bytes=random.choice((65535, 65535, 65535, 1260)),
    )


def _side(random: Random, caller: bool) -> Side:
    sizes = random.choices((0, 1, 300, 1444, 5_000, 100_000), k=random.randrange(8))
    late = random.random() < 0.5
    return Side(
        messages=tuple(random.randbytes(size) for size in sizes),
        says_at_s=tuple(sorted(random.uniform(0.0, 1.0) if late else 0.0 for _ in sizes)),
        listens_every_s=random.choice((0.0, 0.0, 0.3)),
        closes_at_s=random.uniform(2.0, 3.0) if caller or random.random() < 0.5 else None,
    )


def stage(scenario: Scenario) -> tuple[Virtual, tuple[Station, Station]]:
    """Put a scenario on virtual time, ready to run: the caller at orders' end has called."""
    random = Random(f"endpoints/{scenario.seed}")
    stations = (
        Station(Endpoint(random, False, window=scenario.window), scenario.sides[0]),
        Station(Endpoint(random, True, window=scenario.window), scenario.sides[1]),
    )
    there, back = scenario.knobs
    virtual = Virtual(scenario.seed, there, *stations, back=back)
    stations[0].adopt(stations[0].endpoint.connect(PEER, 0.0), 0.0)
    for station in stations:
        _plan(virtual, station)
    if scenario.cut:
        for at, partitioned in zip(scenario.cut, (True, False), strict=True):
            virtual.at(at, lambda cut=partitioned: _cut(virtual, cut))  # type: ignore[misc]
    if scenario.forgets_at_s is not None:
        reborn = Endpoint(random, True, window=scenario.window)
        virtual.at(scenario.forgets_at_s, lambda: stations[1].forget(reborn, virtual.now))
    return virtual, stations


def _plan(virtual: Virtual, station: Station) -> None:
    side = station.side
    for at, message in zip(side.says_at_s, side.messages, strict=True):
        virtual.at(at, lambda words=message: station.say(words))  # type: ignore[misc]
    if side.closes_at_s is not None:
        virtual.at(side.closes_at_s, lambda: station.close(virtual.now))
    if side.listens_every_s:
        _listen_for_ever(virtual, station)


def _listen_for_ever(virtual: Virtual, station: Station) -> None:
    station.listen(virtual.now)
    if virtual.now < LAST_CARD_S or not station.over:
        again = virtual.now + station.side.listens_every_s
        virtual.at(again, lambda: _listen_for_ever(virtual, station))


def _cut(virtual: Virtual, partitioned: bool) -> None:
    for line in virtual.wire.lines:
        line.knobs = replace(line.knobs, partitioned=partitioned)
