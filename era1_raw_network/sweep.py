"""A thousand histories of bad luck: the transport on virtual time, every one repeatable by seed.

Each seed deals a wire (loss, copies, disorder, damage, a slow link, a short MTU, a cut, a peer that
forgets everything) and two applications (what they say, how slowly they listen, when they hang up).
What must hold is the same in all of them:

 1. what one side took is what the other said, in order, each message once, up to some point;
 2. whoever ended without an error had everything it said delivered;
 3. both sides end in bounded time;
 4. an error needs a cause: a wire that is merely bad is no excuse.

    python -m era1_raw_network.sweep                 a thousand histories on all cores
    python -m era1_raw_network.sweep --seed 17       one of them, with its last packets
"""

import argparse
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from random import Random

from era1_raw_network.codec import decode
from era1_raw_network.connection import Connection
from era1_raw_network.endpoint import Endpoint
from era1_raw_network.states import State
from lab.wire import Knobs
from lab.wire.virtual import Standstill, Virtual

PEER = ("the other end of the wire", 0)
LONGEST_S = 120.0  # virtual: whatever has not ended by then hangs


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


@dataclass(frozen=True)
class History:
    """What became of a scenario. `broken` names the law it broke; empty: none."""

    seed: int
    broken: str
    errors: tuple[str, ...]
    virtual_s: float
    packets: int


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
        excused=rough or bool(cut and cut[1] - cut[0] > 1) or forgets_at_s is not None,
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
        closes_at_s=random.uniform(1.0, 2.0) if caller or random.random() < 0.5 else None,
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
    if virtual.now < 3 or not station.over:
        again = virtual.now + station.side.listens_every_s
        virtual.at(again, lambda: _listen_for_ever(virtual, station))


def _cut(virtual: Virtual, partitioned: bool) -> None:
    for line in virtual.wire.lines:
        line.knobs = replace(line.knobs, partitioned=partitioned)


def run(seed: int) -> History:
    """Play the history of one seed to its end and judge it."""
    scenario = deal(seed)
    return play(scenario, *stage(scenario))


def play(scenario: Scenario, virtual: Virtual, stations: tuple[Station, Station]) -> History:
    """Let a staged scenario run to its end, and judge it."""
    broken = ""
    try:
        if not virtual.run(LONGEST_S, lambda: all(s.over for s in stations)):
            broken = f"not over after {LONGEST_S:g} s: {[s.connection for s in stations]}"
    except Standstill as stuck:
        broken = f"time stands still: {stuck}"
    except Exception as error:  # of any kind: a packet off the wire must never raise
        broken = f"raised {error!r}"
    for station in stations:
        station.listen(virtual.now)
    errors = tuple(s.connection.error for s in stations if s.connection and s.connection.error)
    return History(
        scenario.seed,
        broken or judge(scenario, stations, errors),
        errors,
        virtual.now,
        sum(line.frames for line in virtual.wire.lines),
    )


def judge(scenario: Scenario, stations: tuple[Station, Station], errors: tuple[str, ...]) -> str:
    """The law that a history broke, in words; empty if it broke none."""
    for speaker, listener in (stations, stations[::-1]):
        said, heard = speaker.said, listener.heard
        if heard != said[: len(heard)]:
            return f"heard {_sizes(heard)} bytes of {_sizes(said)}, or other ones"
        in_order = speaker.connection is not None and not speaker.connection.error
        if in_order and heard != said:
            return f"ended in order, but of {len(said)} messages {len(heard)} arrived"
    if errors and not scenario.excused:
        return f"an error without a cause: {errors}"
    return ""


def _sizes(messages: list[bytes]) -> list[int]:
    return [len(message) for message in messages]


def sweep(seeds: Iterable[int], processes: int | None = None) -> list[History]:
    """Play the histories of `seeds`, on as many processes (None: one per core); in seed order."""
    processes = processes or os.cpu_count() or 1
    if processes == 1:
        return [run(seed) for seed in seeds]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(run, seeds, chunksize=10))


def main() -> int:
    """The command line; the exit code is 1 if any history broke a law."""
    parser = argparse.ArgumentParser(prog="python -m era1_raw_network.sweep", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=1000, help="how many, from 0 on")
    parser.add_argument("--seed", type=int, help="only this one, told packet by packet")
    parser.add_argument("--processes", type=int, help="default: one per core")
    options = parser.parse_args()
    if options.seed is not None:
        return tell(options.seed)
    began = time.monotonic()
    histories = sweep(range(options.seeds), options.processes)
    broken = [history for history in histories if history.broken]
    for history in broken:
        print(f"python -m era1_raw_network.sweep --seed {history.seed}  # {history.broken}")
    print(
        f"{len(histories)} histories, {len(broken)} broken, "
        f"{sum(bool(history.errors) for history in histories)} ended with an error that had a "
        f"cause; {sum(history.packets for history in histories)} packets, "
        f"{sum(history.virtual_s for history in histories):.0f} virtual seconds "
        f"in {time.monotonic() - began:.1f} s"
    )
    return 1 if broken else 0


def tell(seed: int) -> int:
    """Print one history: the scenario, each packet on the wire, how it ended."""
    scenario = deal(seed)
    virtual, stations = stage(scenario)
    history = play(scenario, virtual, stations)
    for line in virtual.history():
        print(line)
    print(scenario.knobs, f"window={scenario.window} cut={scenario.cut}", sep="\n")
    for station in stations:
        print(station.connection)
    print(history)
    return 1 if history.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
