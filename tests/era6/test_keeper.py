"""Who keeps an Envoy running: it dies, is told to go, and cannot start. On a whole mesh of them."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from lab.contract import CutOff, ShopClosed
from lab.load import Load
from lab.processes import children_of
from lab.stage import Stage
from tests.targets import Target, why_not

MISSING = why_not(Target("6", "portable", proxy="envoy"))
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
SOON_S = 20.0


@pytest.fixture(scope="module")
def stage(seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with Stage("6", seed=seed, directory=folder, instances=1, proxy="envoy") as stage:
        yield stage
        for role in stage.roles:
            stage.crash(role)


def until(seen: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SOON_S
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def placed(stage: Stage, order_id: str) -> bool:
    try:
        return stage.customer().place(order_id, "sku-0001", 1)["outcome"] == "placed"
    except (ShopClosed, CutOff):
        return False


def test_one_that_dies_is_started_again_and_told_all_again(stage):
    (envoy,) = children_of(stage.pid("orders-sidecar"))
    os.kill(envoy, signal.SIGKILL)
    until(lambda: placed(stage, "again"), "the shop is open again")
    assert "Envoy ended with exit code -9; started again" in stage.logs("orders-sidecar")


def test_an_upgrade_cuts_nobody_off(stage):
    load = Load(stage, 4, "meanwhile", 5.0)
    load.more(8)
    stage.upgrade("orders")
    stage.upgrade("inventory-1")
    load.more(8)
    load.stop()
    assert load.outcomes().keys() == {"placed"}


def test_what_it_is_told_to_read_again_it_has_not(stage):
    before = children_of(stage.pid("orders-sidecar"))
    stage.reload("orders")
    assert placed(stage, "as-before")
    assert children_of(stage.pid("orders-sidecar")) == before


def test_told_to_go_it_ends_with_its_envoy(stage):
    (envoy,) = children_of(stage.pid("inventory-1-sidecar"))
    assert stage.terminate("inventory-1-sidecar") == 0
    assert not os.path.exists(f"/proc/{envoy}")
    stage.restart("inventory-1-sidecar")
    until(lambda: placed(stage, "back"), "inventory is found again")
