"""How soon a sidecar is of use, how soon the whole era, and what its two processes hold."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from lab.measure import CannotMeasure, resources, sidecar_told
from lab.measure.figure import Figure, Target, alone, compare
from lab.measure.sidecar_side import Side, free_ports, wait_answer
from lab.measure.sidecar_sides import EQUAL, ERA, OURS, SAID, TARGET, Sides
from lab.measure.turns import Part, Step
from lab.stage import Stage

ROUNDS, STEP_S, WHOLE_STEP_S = 7, 1.5, 3.0
INSTANCES = 3
READY = ("sidecar/start/proxy", "sidecar/start/supervised", "sidecar/memory/supervised")
WHOLE = "sidecar/start/whole"
SOON, WHOLE_SOON = Target("ours", at_most=250.0), Target("ours", at_most=2.0)
LITTLE = Target("ratio", at_most=1.0)
CONDITIONS = {
    "start": "from the start of the process until the first request through it is answered 200",
    "supervised": "the proxy and the process that would start it again; Envoy alone",
    "start/whole": f"wire, certificates, registry, {INSTANCES} inventories, orders, a sidecar for "
    "each service, until a customer can be served",
}


def parts(quick: bool) -> list[Part]:
    """Return one part for a sidecar, and one for the era."""
    rounds = 1 if quick else ROUNDS
    each = Part(READY, 3 * STEP_S * rounds, lambda step: _each(step, rounds))
    return [each, Part((WHOLE,), WHOLE_STEP_S * rounds, lambda step: _whole(step, rounds))]


def _each(step: Step, rounds: int) -> list[Figure]:
    took_ms: dict[str, list[float]] = {"proxy": [], "sidecar": [], EQUAL: []}
    resident_mib: dict[str, list[float]] = {name: [] for name in took_ms}
    for number in range(rounds + 1):
        for name in took_ms:
            with Sides() as sides:
                sides.upstream()
                began = time.perf_counter()
                side = _begin(sides, name)
                wait_answer(side)
                took_ms[name].append(1000 * (time.perf_counter() - began))
                held = sum(map(resources.resident_bytes, side.groups))
                resident_mib[name].append(held / 2**20)
            if number:
                step(f"start of {name}, round {number}", STEP_S)
    for rounds_of in (*took_ms.values(), *resident_mib.values()):
        del rounds_of[0]  # a warm-up: files come from the disk
    said = SAID[EQUAL]
    return [
        compare(READY[0], "ms", took_ms["proxy"], took_ms[EQUAL], said, target=SOON),
        compare(READY[1], "ms", took_ms["sidecar"], took_ms[EQUAL], said, target=SOON),
        compare(READY[2], "MiB", resident_mib["sidecar"], resident_mib[EQUAL], said, LITTLE),
    ]


def _begin(sides: Sides, name: str) -> Side:
    if name == EQUAL:
        return sides.begin(EQUAL, "outbound")
    ports = free_ports(3)
    file = sides.folder / "sidecar.toml"
    file.write_text(sidecar_told.outbound(sides.folder, ports, sides.endpoints))
    return Side(f"http://127.0.0.1:{ports[1]}{TARGET}", (sides.ours(OURS, name, file),))


def _whole(step: Step, rounds: int) -> list[Figure]:
    took_s = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="eras-measure-") as folder:
            began = time.perf_counter()
            try:
                with Stage(ERA, directory=Path(folder), instances=INSTANCES) as stage:
                    stage.customer().catalogue()
                    took_s.append(time.perf_counter() - began)
            except Exception as error:
                raise CannotMeasure(f"era {ERA} did not start: {error}") from error
        step(f"start of the whole of era {ERA}, round {number + 1}", WHOLE_STEP_S)
    return [alone(WHOLE, "s", took_s, WHOLE_SOON)]
