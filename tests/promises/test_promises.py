"""Every cell of the table is run: what is kept must hold, what is not must fail as it says."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from era0_naive import shop
from lab.find import ROOT, Era, find
from lab.stage import Stage, Variant
from lab.wire.namespaces import available
from tests.promises.failures import Hangs
from tests.promises.stranger import Stranger
from tests.promises.table import PROMISES, Absent, Cell, Not, Promise
from tests.promises.trial import BOUND_S, Trial
from tests.targets import Target, marks, targets

PACKETS = ("udp", "ip")
PATIENCE_WITH_WHO_HANGS_S = 1.0  # the wire's round trip is a thousandth of it


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = ("--wire", "--write-promises")  # who gives one of these wants all cells
    repeated = any(map(metafunc.config.getoption, options)) or available() is not None
    cells = [
        pytest.param(
            promise,
            target,
            id=f"{promise.name.replace(' ', '-')}-{target}",
            marks=[*marks(target), *cell_marks(promise, target, repeated)],
        )
        for promise in PROMISES
        for target in targets(metafunc.config)
    ]
    metafunc.parametrize(("promise", "target"), cells)


def cell_marks(promise: Promise, target: Target, repeated: bool) -> list[pytest.MarkDecorator]:
    """`repeated`: packets are tried on the portable wire as well where there is the real one."""
    slow = [pytest.mark.slow] if promise.slow else []
    why_not = why_not_here(promise, target)
    if not why_not and not repeated and has_the_same_fate_for_real(promise, target):
        why_not = "the packets meet the same fates: see form real, or ask with --wire portable"
    if why_not:
        return [pytest.mark.skip(reason=why_not)]
    broken = not_kept(promise, target)
    if not broken:
        return slow
    return [*slow, pytest.mark.xfail(strict=True, raises=broken.shows, reason=broken.why)]


def why_not_here(promise: Promise, target: Target) -> str:
    """Why this trouble cannot be made, or need not be made, here; empty if it can and must."""
    cell = cell_of(promise, target)
    if isinstance(cell, Absent):
        return cell.why
    if promise.in_node and not shutil.which("node"):
        return "node is not installed (node >= 18)"
    era = find(target.era)
    has_packets = target.form == "real" or era.schemes[target.form] in PACKETS
    if promise.trouble == "packets" and not has_packets:
        return "a relay of byte streams has no packets: see form real"
    if promise.trouble == "connections" and has_packets:
        return "a wire of packets knows no connections: see form portable of the eras on TCP"
    is_same_on_both = promise.trouble == "elsewhere" or era.speaks_http
    if target.form == "real" and promise.trouble != "packets" and is_same_on_both:
        return "once is enough, as the form of the wire plays no part: see form portable"
    return ""


def has_the_same_fate_for_real(promise: Promise, target: Target) -> bool:
    """Whether the real wire, which is the same code, is asked this in the same way."""
    schemes = find(target.era).schemes
    has_packets = schemes[target.form] in PACKETS and "real" in schemes
    cell = cell_of(promise, target)
    differs = isinstance(cell, Not) and cell.only
    return (
        target.form == "portable" and has_packets and not differs and promise.trouble != "elsewhere"
    )


def not_kept(promise: Promise, target: Target) -> Not | None:
    """Why this promise is not kept here; None if it is."""
    cell = cell_of(promise, target)
    if isinstance(cell, Not) and cell.only in ("", target.form):
        return cell
    return None


def cell_of(promise: Promise, target: Target) -> Cell:
    """A learner's era must keep all that an era which speaks as it does can be asked."""
    if target.era in promise.kept:
        return promise.kept[target.era]
    before = promise.kept.get("2", True)
    return before if isinstance(before, Absent) and not find(target.era).speaks_http else True


def test_a_promise(promise: Promise, target: Target, seed, tmp_path) -> None:
    broken = not_kept(promise, target)
    hangs = broken is not None and broken.may_be(Hangs)
    patience_s = PATIENCE_WITH_WHO_HANGS_S if hangs else BOUND_S
    capture = tmp_path / "wire.pcapng" if promise.trouble == "packets" else None
    with Stage(
        target.era,
        target.form,
        seed=seed,
        directory=tmp_path,
        pcap=capture,
        instances=promise.instances,
        catalogue=goods(tmp_path) if promise.in_node else None,
        variants=variants_for(promise, find(target.era)),
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
    """Without a sidecar it registers nowhere: even that was a matter of the library."""
    folder = era.folder if era.has_sidecars else ROOT / "era4_framework"
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
