"""Ten thousand connections that each say a byte of their head now and then: who serves the others?

An idle connection costs memory; one that dribbles wakes the proxy again and again, for nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from lab.measure import CannotMeasure, wrk
from lab.measure.figure import Figure, Target, compare, total
from lab.measure.sidecar_idle import CONNECTIONS, HEALTHY, QUICK_CONNECTIONS, allowed
from lab.measure.sidecar_side import Side
from lab.measure.sidecar_sides import EQUAL, OURS, SAID, TARGET, Sides
from lab.measure.turns import Part, Step

EVERY_S, QUICK_EVERY_S = 2.0, 0.5  # a byte on each of them
TOGETHER = 50  # of them, and then a pause: so the bytes are spread over the time
HEALTHY_S = 4.0
PLANNED_S = 30.0
PATIENCE_S = 10.0
NAMES = (f"sidecar/slow/healthy/{EQUAL}", "sidecar/slow/healthy/failed")
NONE_FAILED = Target("ours", at_most=0)
CONDITIONS = {
    "slow": f"each of them sends a byte of a head that never ends, every {EVERY_S:g} s "
    f"({QUICK_EVERY_S:g} s if it must be quick); meanwhile {HEALTHY} healthy connections are "
    "served; none of the slow ones is cut off, as both proxies are told to give a head an hour",
}


def parts(quick: bool) -> list[Part]:
    """Return the one part."""
    wanted, every_s = (QUICK_CONNECTIONS, QUICK_EVERY_S) if quick else (CONNECTIONS, EVERY_S)

    def run(step: Step) -> list[Figure]:
        count = allowed(wanted)
        found = {}
        with Sides() as sides:
            sides.upstream()
            for name in (OURS, EQUAL):
                found[name] = beside(sides.start(name), count, every_s)
                step(f"{count} slow connections at {name}", PLANNED_S / 2)
        return figures(count, every_s, found)

    return [Part(NAMES, PLANNED_S, run)]


def figures(count: int, every_s: float, found: dict[str, wrk.Load]) -> list[Figure]:
    """Return the figures of both sides: what the healthy ones got."""
    ours, theirs = found[OURS], found[EQUAL]
    note = f"{count} connections, {count / every_s:g} bytes a second"
    if count < CONNECTIONS:
        note += "; this machine's limit of open files, or haste, allows no more"
    healthy, failed = NAMES
    return [
        compare(healthy, "1/s", [ours.per_s], [theirs.per_s], SAID[EQUAL], note=note),
        total(failed, "1", [ours.failed], NONE_FAILED, note),
    ]


def beside(side: Side, count: int, every_s: float) -> wrk.Load:
    """What the healthy ones get while so many dribble. Raises CannotMeasure if those are cut."""
    with dribbling(side.url, count, every_s):
        return wrk.load(side.url, HEALTHY, HEALTHY_S, side.headers)


@contextmanager
def dribbling(url: str, count: int, every_s: float) -> Iterator[None]:
    """Let so many connections dribble; all have begun to. Raises CannotMeasure if one is cut."""
    parts = urlsplit(url)
    with ExitStack() as held:
        slow = []
        for _ in range(count):
            opened = socket.create_connection((parts.hostname or "", parts.port or 80), PATIENCE_S)
            slow.append(held.enter_context(opened))
            opened.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: inventory\r\nX-Slow: ".encode())
        sending = Dribble(slow, every_s)
        with sending:
            yield
        if sending.cut:
            raise CannotMeasure(f"{sending.cut} of {count} slow connections were cut off")


class Dribble:
    """A thread that sends a byte on each connection in turn, until the `with` block ends."""

    def __init__(self, slow: Sequence[socket.socket], every_s: float) -> None:
        """every_s: how often each of them sends one."""
        self.cut = 0
        self._slow = list(slow)
        self._pause_s = every_s * TOGETHER / max(TOGETHER, len(self._slow))
        self._all_have_begun = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        self._all_have_begun.wait()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            for at in range(0, len(self._slow), TOGETHER):
                self._send(self._slow[at : at + TOGETHER])
                if self._over.wait(self._pause_s):
                    break
            self._all_have_begun.set()

    def _send(self, some: Sequence[socket.socket]) -> None:
        for each in some:
            try:
                each.send(b"a")
            except OSError:
                self.cut += 1
