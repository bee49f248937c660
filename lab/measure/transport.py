"""`eras measure transport`: reliability by hand against the kernel's TCP, aioquic and ENet."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from lab.measure import (
    CannotMeasure,
    fairness,
    goodput,
    packet_cost,
    small_requests,
    standing_queue,
    sweep,
)
from lab.measure.turns import Part
from lab.measure.whole import measure
from lab.wire import namespaces

PEER_MODULES = ("aioquic", "enet")
GROUPS = (packet_cost, goodput, fairness, standing_queue, small_requests, sweep)

CONDITIONS = {
    "wire": "two network namespaces, TUN interfaces of MTU 1500, one process between them",
    "turns": "all contestants one after another on each seed, then the next seed",
    "goodput": "bytes delivered in order from when the connection stands; the ramp counts",
    "window_s_by_round_trip": {f"{s * 1000:.0f}ms": w for s, w in goodput.WINDOW_S.items()},
    "unlimited_window_s_by_round_trip": {
        f"{s * 1000:.0f}ms": w for s, w in goodput.UNLIMITED_WINDOW_S.items()
    },
    "queue": "one bandwidth-delay product, at least 50 kB; none on an unlimited link",
    "interpreter": "garbage collection off in all contestants' processes",
    "kernel": "default buffers; congestion control chosen by socket option; Nagle off",
    "aioquic": "its default (Reno), encrypted, windows of 64 MiB, datagrams of 1472 bytes",
}


def parts(quick: bool) -> list[Part]:
    """Return everything that is measured, in its order."""
    return [part for group in GROUPS for part in group.parts(quick)]


def require_peers() -> None:
    """Raise CannotMeasure, saying how to mend it, if a wire or a peer cannot be had here."""
    refusal = namespaces.available()
    if refusal:
        raise CannotMeasure(f"the kernel's TCP needs the wire with real interfaces: {refusal}")
    missing = [name for name in PEER_MODULES if not importlib.util.find_spec(name)]
    if missing:
        raise CannotMeasure(
            f"not installed: {', '.join(missing)}; `pip install -e '.[measure]'` brings the peers"
        )


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` plays one seed and a few cells.

    `only` is a regular expression that chooses figures by name. Raises ValueError for a bad one,
    CannotMeasure if a peer is missing here.
    """
    require_peers()
    return measure(parts(quick), CONDITIONS | {"quick": quick}, progress, only)
