"""Every cell of the table is run: what is kept must hold, what is not must fail as it says."""

import shutil

import pytest

from lab.find import find
from lab.wire.namespaces import available
from tests.promises.court import put_on_trial
from tests.promises.table import PROMISES, Absent, Cell, Not, Promise
from tests.targets import Target, marks, targets

PACKETS = ("udp", "ip")


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
    put_on_trial(promise, target, not_kept(promise, target), seed, tmp_path)
