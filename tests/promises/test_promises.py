"""Every cell of the table is run: what is kept must hold, what is not must fail as it says."""

import pytest

from lab.find import find
from lab.stage import Stage
from tests.promises.failures import Hangs
from tests.promises.stranger import Stranger
from tests.promises.table import PROMISES, Not, Promise
from tests.promises.trial import BOUND_S, Trial
from tests.targets import Target, marks, targets

PACKETS = ("udp", "ip")
PATIENCE_WITH_WHO_HANGS_S = 1.0  # the wire's round trip is a thousandth of it


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cells = [
        pytest.param(
            promise,
            target,
            id=f"{promise.name.replace(' ', '-')}-{target}",
            marks=[*marks(target), *cell_marks(promise, target)],
        )
        for promise in PROMISES
        for target in targets(metafunc.config)
    ]
    metafunc.parametrize(("promise", "target"), cells)


def cell_marks(promise: Promise, target: Target) -> list[pytest.MarkDecorator]:
    slow = [pytest.mark.slow] if promise.slow else []
    impossible = why_not_here(promise, target)
    if impossible:
        return [pytest.mark.skip(reason=impossible)]
    broken = not_kept(promise, target)
    if not broken:
        return slow
    return [*slow, pytest.mark.xfail(strict=True, raises=broken.shows, reason=broken.why)]


def why_not_here(promise: Promise, target: Target) -> str:
    """Why this trouble cannot be made on this wire; empty if it can."""
    streams = target.form == "portable" and find(target.era).schemes["portable"] not in PACKETS
    if promise.trouble == "packets" and streams:
        return "a relay of byte streams has no packets: see form real"
    if promise.trouble == "connections" and not streams:
        return "a wire of packets knows no connections: see form portable of the eras on TCP"
    return ""


def not_kept(promise: Promise, target: Target) -> Not | None:
    """Why this promise is not kept here; None if it is. A learner's era must keep all."""
    cell = promise.kept.get(target.era, True)
    if isinstance(cell, Not) and cell.only in ("", target.form):
        return cell
    return None


def test_a_promise(promise: Promise, target: Target, seed, tmp_path) -> None:
    broken = not_kept(promise, target)
    hangs = broken is not None and broken.may_be(Hangs)
    patience_s = PATIENCE_WITH_WHO_HANGS_S if hangs else BOUND_S
    capture = tmp_path / "wire.pcapng" if promise.trouble == "packets" else None
    with Stage(target.era, target.form, seed=seed, directory=tmp_path, pcap=capture) as stage:
        promise.when(Trial(stage, Stranger(stage, capture), patience_s))
