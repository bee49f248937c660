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
from dataclasses import dataclass
from multiprocessing import get_context

from era1_raw_network.scenario import Scenario, Station, deal, stage
from lab.wire.virtual import Standstill, Virtual

LONGEST_S = 120.0  # virtual: whatever has not ended by then hangs


@dataclass(frozen=True)
class History:
    """What became of a scenario. `broken` names the law it broke; empty: none."""

    seed: int
    broken: str
    errors: tuple[str, ...]
    virtual_s: float
    packets: int


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
    fresh = get_context("spawn")  # a fork would copy the locks of whoever has threads
    with ProcessPoolExecutor(processes, mp_context=fresh) as pool:
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
