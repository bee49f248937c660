"""What the whole stack of era 4 adds to one call: at its caller, and at its server.

Callers take turns in short blocks at the same server, a process each; then the servers do, asked by
one kind of caller. The peers are what would be there without a framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lab.measure.calls import Block, Cost, Sides, take_turns
from lab.measure.figure import Figure, Target, compare, compare_percentile
from lab.measure.turns import Part, Step

ROUNDS, BLOCKS, BLOCK_CALLS = 5, 10, 100
QUICK_BLOCKS = 3
CALL_S = 0.0015  # only for the estimate of the time left
PERCENTILES = {"p50": 0.5, "p99": 0.99}
LABELS = (*PERCENTILES, "cpu")
LITTLE_MORE = Target("ratio", at_most=1.15)
OURS = {"tracing-off": False, "tracing-on": True}

# End -> the peers there, and what they are called beside a figure.
PEERS = {
    "client": {
        "session": "requests.Session, as everybody writes it",
        "bare": "requests.Session that looks for no proxy and no .netrc",
    },
    "server": {"flask": "a bare Flask route"},
}
CONDITIONS = {
    "client": "era 4's client stack, all filters; it and the peers call the same bare Flask route",
    "server": "era 4's server stack, all filters, and a handler that does nothing, as the peer's; "
    "waitress serves both, the same plain HTTP client calls both",
    "calls": f"{ROUNDS} rounds, in each {BLOCKS} blocks of {BLOCK_CALLS} calls of every side",
    "cpu": "of the process that has the stack, all its threads",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for each end of a call."""
    rounds, blocks = (1, QUICK_BLOCKS) if quick else (ROUNDS, BLOCKS)
    return [
        _part("client", client_sides, rounds, blocks),
        _part("server", server_sides, rounds, blocks),
    ]


def _part(
    end: str, sides_of: Callable[[Sides], dict[str, Block]], rounds: int, blocks: int
) -> Part:
    cost_s = CALL_S * BLOCK_CALLS * blocks * (len(OURS) + len(PEERS[end]))

    def run(step: Step) -> list[Figure]:
        with Sides() as started:
            sides = sides_of(started)
            take_turns(sides, 1, BLOCK_CALLS)  # a warm-up
            costs: dict[str, list[Cost]] = {name: [] for name in sides}
            for number in range(1, rounds + 1):
                for name, cost in take_turns(sides, blocks, BLOCK_CALLS).items():
                    costs[name].append(cost)
                step(f"cost of a call at its {end}, round {number}", cost_s)
        return figures(end, costs)

    return Part(names(end), cost_s * rounds, run)


def client_sides(sides: Sides) -> dict[str, Block]:
    """The peers and era 4's client, all of which call one bare route."""
    url = sides.server("flask", "flask")
    peers = {how: sides.caller(how, url) for how in PEERS["client"]}
    return peers | {name: sides.caller("stack", url, traced) for name, traced in OURS.items()}


def server_sides(sides: Sides) -> dict[str, Block]:
    """A bare route and era 4's server, called alike."""
    urls = {"flask": sides.server("flask", "flask")}
    urls |= {name: sides.server(name, "stack", traced) for name, traced in OURS.items()}
    return {name: sides.server_of(sides.caller("plain", url), url) for name, url in urls.items()}


def names(end: str) -> tuple[str, ...]:
    """Return the names of the figures about one end of a call."""
    return tuple(
        f"stack/{end}/{ours}/{peer}/{label}"
        for ours in OURS
        for peer in PEERS[end]
        for label in LABELS
    )


def figures(end: str, costs: Mapping[str, Sequence[Cost]]) -> list[Figure]:
    """Return the figures about one end of a call from each side's rounds."""
    return [
        _figure(f"stack/{end}/{ours}/{peer}/{label}", label, costs[ours], costs[peer], said)
        for ours in OURS
        for peer, said in PEERS[end].items()
        for label in LABELS
    ]


def _figure(name: str, label: str, ours: Sequence[Cost], peer: Sequence[Cost], said: str) -> Figure:
    if label == "cpu":
        our_us, peer_us = ([cost.cpu_us for cost in side] for side in (ours, peer))
        return compare(name, "µs/call", our_us, peer_us, said, target=LITTLE_MORE)
    our_ms, peer_ms = ([cost.took_ms for cost in side] for side in (ours, peer))
    share = PERCENTILES[label]
    return compare_percentile(name, "ms", share, our_ms, peer_ms, said, target=LITTLE_MORE)
