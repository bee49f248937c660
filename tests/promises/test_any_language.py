"""What an inventory in Python keeps behind its sidecar, one in JavaScript keeps behind its own.

Every row of the table is tried again with the other inventory, but for those below: what they ask
has to do with a store that several processes share, and a journal is one process's.
"""

import dataclasses
import shutil
from contextlib import nullcontext

import pytest

from lab.find import eras
from tests.promises.court import put_on_trial
from tests.promises.table import PROMISES, Absent, Not, Promise
from tests.targets import Target

# Where a control plane rules them, service and sidecar are those of era 5: a row of the table does.
ERAS = [era.number for era in eras() if era.has_sidecars and not era.has_control_plane]
ONE_JOURNAL = "its journal is one process's: two would each sell the whole stock"
NO_LOCK = "nobody else can hold its store, as one thread does one thing after the other"
NO_PART = "inventory has no part in it: somebody else answers, or nobody, or the wire delays"
LEFT_OUT = {
    "a customer who has gone": NO_LOCK,
    "partition and heal": NO_PART,
    "added latency": NO_PART,
    "jitter": NO_PART,
    "a full slow link": NO_PART,
    "one of several always fails": NO_PART,
    "a retry storm": NO_PART,
    "a false instance": NO_PART,
    "another service at the address": NO_PART,
    "a liar at the address": NO_PART,
    "a thief at the address": NO_PART,
    "an overheard lease": NO_PART,
    "kill -9 of orders' sidecar": NO_PART,
    "a sidecar's bad configuration": NO_PART,
    "two sidecars that try again": NO_PART,
}


def why_not(promise: Promise) -> str:
    """Why it need not, or cannot, be asked of the other language; empty if it can."""
    if promise.in_node or promise.trouble == "packets":
        return "it is asked so in the table, or of packets, which are TLS's to guard"
    if promise.instances > 1:
        return ONE_JOURNAL
    return LEFT_OUT.get(promise.name, "")


def rows() -> list:
    return [
        pytest.param(era, promise, id=f"{promise.name.replace(' ', '-')}-era{era}")
        for era in ERAS
        for promise in PROMISES
        if not why_not(promise) and not isinstance(promise.kept[era], Absent)
    ]


@pytest.mark.target
@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed (node >= 18)")
@pytest.mark.parametrize(("era", "row"), rows())
def test_the_same_comes_of_a_promise_in_another_language(era, row, seed, tmp_path, pytestconfig):
    if era not in (pytestconfig.getoption("--era") or [era]):
        pytest.skip(f"another era was asked for: {era}")
    cell = row.kept[era]
    broken = cell if isinstance(cell, Not) else None
    with pytest.raises(broken.shows) if broken else nullcontext():
        put_on_trial(
            dataclasses.replace(row, in_node=True), Target(era, "portable"), broken, seed, tmp_path
        )
