"""How many requests a second go through, what processor time each costs, and how much memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.measure import resources, wrk
from lab.measure.figure import Figure, Target, compare
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import ASYNCIO, EQUAL, OURS, SAID, Sides
from lab.measure.turns import Part, Step

ROUNDS, ROUND_S = 5, 2.0
CONNECTIONS = (1, 16, 64)
MOST = max(CONNECTIONS)
START_S = 3.0  # only for the estimate of the time left
PEERS = {"outbound": tuple(SAID), "inbound": (EQUAL,), "mtls": (EQUAL,)}
TARGETS = {
    "outbound": Target("ratio", at_least=1.5),
    "inbound": Target("ratio", at_least=1.5),
    "mtls": Target("ratio", at_least=1.0),
}
FALLBACK = Target("ratio", at_least=1.2)
LITTLE_CPU, LITTLE_MEMORY = Target("ratio", at_most=0.7), Target("ratio", at_most=1.0)
CONDITIONS = {
    "upstream": "nginx that answers 200 bytes, on two ports and a unix socket",
    "load": "wrk, one thread, keep-alive; a run in which any answer is an error does not count",
    "outbound": "a caller's sidecar: routing, p2c over two endpoints, traceparent, request id, "
    "breaker, retry budget, deadline, histogram, access log to a file; in the clear",
    "inbound": "the sidecar of who is asked: rules, quota, shedding, deadline, traceparent, "
    "histogram, access log to a file; to a unix socket, in the clear",
    "mtls": "a request through both of them, mutual TLS 1.3 in between, the same certificates",
    "equal": "Envoy's configuration is made from the one that ours is told (bought/envoy.py)",
    "cpu": "user and system time of the proxy's processes, per request",
    "memory": "resident, the proxy's processes, right after its load",
}


@dataclass(frozen=True)
class Run:
    """One contestant's turn."""

    per_s: float
    cpu_us: float
    resident_mib: float


def parts(quick: bool) -> list[Part]:
    """Return one part for each path and number of connections; 16 alone when it must be quick."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, ROUND_S)
    counts = (16,) if quick else CONNECTIONS
    return [_part(path, count, rounds, seconds) for path in PEERS for count in counts]


def names(path: str, connections: int) -> tuple[str, ...]:
    """Return the names of the figures of one cell."""
    cell = f"{path}/{connections}"
    found = [f"sidecar/throughput/{cell}/{peer}" for peer in PEERS[path]]
    found += [f"sidecar/fallback/{cell}/{EQUAL}"]
    found += [f"sidecar/cpu/{cell}/{peer}" for peer in PEERS[path] if peer != "none"]
    return (*found, f"sidecar/memory/{cell}/{EQUAL}")


def contestants(path: str) -> tuple[str, ...]:
    """Return who takes turns on a path."""
    return (OURS, EQUAL, ASYNCIO, *(peer for peer in PEERS[path] if peer != EQUAL))


def _part(path: str, connections: int, rounds: int, seconds: float) -> Part:
    who = contestants(path)
    planned_s = START_S + len(who) * (rounds + 1) * seconds

    def run(step: Step) -> list[Figure]:
        with Sides() as sides:
            sides.upstream()
            if path == "mtls":
                sides.certificates()
            stand = {name: sides.start(name, path) for name in who}
            step(f"{path}: {len(who)} contestants stand", START_S)
            turns(stand, connections, 1, 1.0)  # a warm-up
            runs: dict[str, list[Run]] = {name: [] for name in who}
            for number in range(1, rounds + 1):
                for name, one in turns(stand, connections, 1, seconds).items():
                    runs[name] += one
                step(f"{path}, {connections} connections, round {number}", len(who) * seconds)
        return figures(path, connections, runs)

    return Part(names(path, connections), planned_s, run)


def turns(
    sides: Mapping[str, Side], connections: int, rounds: int, seconds: float
) -> dict[str, list[Run]]:
    """Let all of them take `rounds` turns, one after another. Raises CannotMeasure."""
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            runs[name].append(_turn(side, connections, seconds))
    return runs


def _turn(side: Side, connections: int, seconds: float) -> Run:
    before_s = sum(map(resources.cpu_s, side.groups))
    load = wrk.ask(side.url, connections, seconds, side.headers)
    cpu_s = sum(map(resources.cpu_s, side.groups)) - before_s
    resident = sum(map(resources.resident_bytes, side.groups))
    return Run(load.per_s, 1e6 * cpu_s / load.requests, resident / 2**20)


def figures(path: str, connections: int, runs: Mapping[str, Sequence[Run]]) -> list[Figure]:
    """Return the figures of one cell from each contestant's turns."""
    cell = f"{path}/{connections}"
    ours, asyncio_ = runs[OURS], runs[ASYNCIO]
    found = [
        _compare("throughput", cell, peer, ours, runs[peer], TARGETS[path]) for peer in PEERS[path]
    ]
    fallback = FALLBACK if path != "mtls" else None
    found.append(_compare("fallback", cell, EQUAL, asyncio_, runs[EQUAL], fallback))
    little_cpu = LITTLE_CPU if path != "mtls" else None
    found += [
        _compare("cpu", cell, peer, ours, runs[peer], little_cpu)
        for peer in PEERS[path]
        if peer != "none"
    ]
    return [*found, _compare("memory", cell, EQUAL, ours, runs[EQUAL], LITTLE_MEMORY)]


UNITS = {"throughput": "1/s", "fallback": "1/s", "cpu": "µs/request", "memory": "MiB"}


def _compare(
    kind: str,
    cell: str,
    peer: str,
    ours: Sequence[Run],
    theirs: Sequence[Run],
    target: Target | None,
) -> Figure:
    """Only Envoy with equal policies is a fair peer, so only it has targets."""
    pick = {"cpu": "cpu_us", "memory": "resident_mib"}.get(kind, "per_s")
    ours_runs, their_runs = ([float(getattr(run, pick)) for run in side] for side in (ours, theirs))
    aim = target if peer == EQUAL else None
    name = f"sidecar/{kind}/{cell}/{peer}"
    return compare(name, UNITS[kind], ours_runs, their_runs, SAID[peer], target=aim)
