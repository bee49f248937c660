"""How soon a whole mesh serves its first customer."""

from __future__ import annotations

import time
from functools import partial

from lab.measure.figure import Figure, Target, alone
from lab.measure.mesh_shop import PLANES, shop
from lab.measure.turns import Part, Step

ROUNDS, INSTANCES, STEP_S = 5, 3, 5.0
SOON = {"python": Target("ours", at_most=3.0), "envoy": Target("ours", at_most=5.0)}
CONDITIONS = {
    "start": f"control plane, {INSTANCES} inventories and orders, an agent and a sidecar for each, "
    "the wire: until the first customer is served",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for each data plane."""
    rounds = 1 if quick else ROUNDS
    return [
        Part((f"mesh/{plane}/start",), STEP_S * rounds, partial(_start, plane, rounds))
        for plane in PLANES
    ]


def _start(plane: str, rounds: int, step: Step) -> list[Figure]:
    took_s = []
    for _ in range(rounds):
        began = time.perf_counter()
        with shop(plane, INSTANCES) as stage:
            stage.customer().catalogue()
            took_s.append(time.perf_counter() - began)
        step(f"start, {plane}", STEP_S)
    return [alone(f"mesh/{plane}/start", "s", took_s, SOON[plane])]
