"""How soon a change that the control plane has accepted is obeyed, with ten proxies in the mesh."""

from __future__ import annotations

import time
from functools import partial

from lab.measure.figure import Figure, Target, alone
from lab.measure.mesh_shop import PLANES, Asker, answering, routed, shop
from lab.measure.spread import percentile
from lab.measure.turns import Part, Step

CHANGES, INSTANCES, STEP_S = 100, 9, 20.0
STATUSES = (418, 451)  # nobody else says these
WITHIN_S = 5.0
SOON = Target("ours", at_most=100.0)
CONDITIONS = {
    "change": f"{CHANGES} changes of one route, one after the other, in a mesh of {INSTANCES + 1} "
    "proxies: from the moment the operator sends it until the first request that is answered by it "
    "(first-request), and until every proxy has acknowledged it (all)",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for each data plane."""
    changes = 10 if quick else CHANGES
    return [Part(_names(plane), STEP_S, partial(_changes, plane, changes)) for plane in PLANES]


def _names(plane: str) -> tuple[str, str, str]:
    cell = f"mesh/{plane}/change"
    return f"{cell}/first-request/p50", f"{cell}/first-request/p99", f"{cell}/all/p99"


def _changes(plane: str, changes: int, step: Step) -> list[Figure]:
    first_ms, all_ms = [], []
    with shop(plane, INSTANCES) as stage:
        operator = stage.operator
        intent = operator.intent()
        asker = Asker(stage.outbound)
        try:
            for number in range(changes):
                status = STATUSES[number % 2]
                began = time.perf_counter()
                revision = operator.apply(routed(intent, answering(status)))
                first_ms.append(1000 * (asker.until(status, WITHIN_S) - began))
                operator.obeyed(revision)
                all_ms.append(1000 * (time.perf_counter() - began))
        finally:
            asker.stop()
    step(f"{changes} changes, {plane}", STEP_S)
    p50, p99, of_all = _names(plane)
    return [
        alone(p50, "ms", [percentile(first_ms, 0.5)]),
        alone(p99, "ms", [percentile(first_ms, 0.99)], SOON),
        alone(of_all, "ms", [percentile(all_ms, 0.99)]),
    ]
