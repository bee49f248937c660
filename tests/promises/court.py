"""One promise, asked of one era over one form of the wire: the stage is set, and it is tried."""

import json
import shutil
import sys
from pathlib import Path

from era0_naive import shop
from lab.find import ROOT, Era, find
from lab.stage import Stage, Variant
from tests.promises.failures import Hangs
from tests.promises.stranger import Stranger
from tests.promises.table import Not, Promise
from tests.promises.trial import BOUND_S, Trial
from tests.targets import Target

PATIENCE_WITH_WHO_HANGS_S = 1.0  # the wire's round trip is a thousandth of it


def put_on_trial(
    promise: Promise, target: Target, broken: Not | None, seed: int, folder: Path
) -> None:
    """Raises the failure that it shows, if it is not kept. `broken`: how it is known not to be."""
    hangs = broken is not None and broken.may_be(Hangs)
    patience_s = PATIENCE_WITH_WHO_HANGS_S if hangs else BOUND_S
    capture = folder / "wire.pcapng" if promise.trouble == "packets" else None
    with Stage(
        target.era,
        target.form,
        seed=seed,
        directory=folder,
        pcap=capture,
        instances=promise.instances,
        catalogue=goods(folder) if promise.in_node else None,
        variants=variants_for(promise, find(target.era)),
        proxy=target.proxy,
    ) as stage:
        try:
            promise.when(Trial(stage, Stranger(stage, capture), patience_s))
        finally:
            for role in stage.roles:
                stage.crash(role)  # asked kindly, each would drain for a second


def variants_for(promise: Promise, era: Era) -> dict[str, Variant]:
    """Who plays an inventory otherwise than the era has it."""
    if promise.in_node:
        return {"inventory-1": in_node(era)}
    if promise.witnessed and era.has_sidecars:  # whose services write no trace of their own
        return {f"inventory-{n + 1}": witnessed(era) for n in range(promise.instances)}
    return {}


def in_node(era: Era) -> Variant:
    """Without a sidecar it registers nowhere: even that was a matter of the library. Beside one,
    whichever it is, the service stays as it was.
    """
    folder = ROOT / ("era5_sidecar" if era.has_sidecars else "era4_framework")
    program = [str(shutil.which("node")), str(folder / "inventory.mjs")]
    return Variant(argv=program, registers=era.has_sidecars)


def witnessed(era: Era) -> Variant:
    """The era's own, which tells what it has dealt with."""
    return Variant(argv=[sys.executable, "-m", "tests.promises.witness", era.package])


def goods(folder: Path) -> Path:
    """What is sold, as a file: only Python has the seeded catalogue."""
    path = folder / "catalogue.json"
    path.write_text(json.dumps(shop.catalogue()))
    return path
