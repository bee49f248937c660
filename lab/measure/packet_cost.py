"""What scapy's packet costs against the fast path that travels: build one, dissect one.

Both make and read the same bytes (a test of the era holds them equal); this says why the services
do not use the definition itself.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from lab import find
from lab.measure.figure import Figure, compare
from lab.measure.turns import Part, Step

PAYLOAD = bytes(1400)
ROUNDS = 5
FAST_REPEATS = 20_000
SCAPY_REPEATS = 500
NAMES = ("transport/packet-cost/build", "transport/packet-cost/dissect")
COST_S = 0.25  # of one round


def parts(quick: bool) -> list[Part]:
    """Return the one part: both take turns, a warm-up first."""
    rounds = 1 if quick else ROUNDS

    def run(step: Step) -> list[Figure]:
        for act in (fast_build, scapy_build, fast_dissect, scapy_dissect):
            microseconds(act(), 50)
        taken: list[tuple[float, ...]] = []
        for number in range(rounds):
            taken.append(
                (
                    microseconds(fast_build(), FAST_REPEATS),
                    microseconds(scapy_build(), SCAPY_REPEATS),
                    microseconds(fast_dissect(), FAST_REPEATS),
                    microseconds(scapy_dissect(), SCAPY_REPEATS),
                )
            )
            step(f"packet cost, round {number + 1}", COST_S)
        build, scapy_built, dissect, scapy_dissected = zip(*taken, strict=True)
        return [
            compare(NAMES[0], "µs/packet", build, scapy_built, "scapy"),
            compare(NAMES[1], "µs/packet", dissect, scapy_dissected, "scapy"),
        ]

    return [Part(NAMES, COST_S * rounds, run)]


def microseconds(act: Callable[[], object], repeats: int) -> float:
    """Return the mean duration of `act` over `repeats` calls, in µs."""
    began = time.perf_counter()
    for _ in range(repeats):
        act()
    return (time.perf_counter() - began) / repeats * 1e6


def fast_build() -> Callable[[], bytes]:
    encode, kind = _module("codec").encode, _module("codec").DATA
    return lambda: bytes(encode(kind, 1, 100, 2, 77, 5, 6, 4, 3, PAYLOAD))


def scapy_build() -> Callable[[], bytes]:
    segment = _module("packet").Segment
    return lambda: bytes(
        segment(flags=1, window=100, ack_delay=2, connection=77, seq=5, packet=6, ack=4, echo=3)
        / PAYLOAD
    )


def fast_dissect() -> Callable[[], object]:
    decode, frame = _module("codec").decode, fast_build()()
    return lambda: decode(frame)


def scapy_dissect() -> Callable[[], object]:
    segment, frame = _module("packet").Segment, fast_build()()
    return lambda: segment(frame).checksum


def _module(name: str) -> Any:  # an era is found, not known by name
    return importlib.import_module(f"{find.find('1').package}.{name}")
