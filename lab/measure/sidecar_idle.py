"""Ten thousand connections that say nothing, or stop in the middle of a head: what they cost."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from lab.measure import resources, wrk
from lab.measure.figure import Figure, Target, compare, total
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import EQUAL, OURS, SAID, TARGET, Sides
from lab.measure.turns import Part, Step

CONNECTIONS, QUICK_CONNECTIONS = 10_000, 500
SPARE_FILES = 512  # of this process, for everything else
HEALTHY, HEALTHY_S = 16, 2.0
PLANNED_S = 20.0
NAMES = (
    f"sidecar/idle/memory-per-connection/{EQUAL}",
    f"sidecar/idle/healthy/{EQUAL}",
    "sidecar/idle/healthy/failed",
)
LIKE_ENVOY, NONE_FAILED = Target("ratio", at_most=1.0), Target("ours", at_most=0)
CONDITIONS = {
    "idle": "half of them have had one answer and ask nothing more, half have sent half a head; "
    f"then {HEALTHY} healthy connections are served",
}


def parts(quick: bool) -> list[Part]:
    """Return the one part."""
    wanted = QUICK_CONNECTIONS if quick else CONNECTIONS

    def run(step: Step) -> list[Figure]:
        count = allowed(wanted)
        found = {}
        with Sides() as sides:
            sides.upstream()
            for name in (OURS, EQUAL):
                found[name] = burden(sides.start(name), count)
                step(f"{count} idle connections at {name}", PLANNED_S / 2)
        return figures(count, found)

    return [Part(NAMES, PLANNED_S, run)]


def figures(count: int, found: dict[str, tuple[float, wrk.Load]]) -> list[Figure]:
    """Return the figures of both sides: KiB for each connection, and the healthy ones' load."""
    (ours_kib, ours), (their_kib, theirs) = found[OURS], found[EQUAL]
    note = f"{count} connections"
    if count < CONNECTIONS:
        note += "; this machine's limit of open files, or haste, allows no more"
    memory, healthy, failed = NAMES
    return [
        compare(memory, "KiB", [ours_kib], [their_kib], SAID[EQUAL], LIKE_ENVOY, note),
        compare(healthy, "1/s", [ours.per_s], [theirs.per_s], SAID[EQUAL], note=note),
        total(failed, "1", [ours.failed], NONE_FAILED, note),
    ]


def allowed(wanted: int) -> int:
    """So many connections as the hard limit of open files allows, to which the soft one is set."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - SPARE_FILES)


def burden(side: Side, count: int) -> tuple[float, wrk.Load]:
    """KiB for each of `count` idle connections, and what the healthy ones got meanwhile."""
    wrk.ask(side.url, HEALTHY, 1.0, side.headers)  # a warm-up: its buffers are not theirs
    before = sum(map(resources.resident_bytes, side.groups))
    with idle(side, count):
        after = sum(map(resources.resident_bytes, side.groups))
        load = wrk.load(side.url, HEALTHY, HEALTHY_S, side.headers)
    return (after - before) / 1024 / count, load


@contextmanager
def idle(side: Side, count: int) -> Iterator[None]:
    """Hold `count` connections open."""
    parts = urlsplit(side.url)
    head = f"GET {TARGET} HTTP/1.1\r\nHost: inventory\r\n".encode()
    with ExitStack() as held:
        for number in range(count):
            connection = socket.create_connection((parts.hostname or "", parts.port or 80), 10.0)
            held.enter_context(connection)
            if number % 2:
                connection.sendall(head)
            else:
                connection.sendall(head + b"\r\n")
                connection.recv(65536)
        yield
