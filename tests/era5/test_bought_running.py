"""Bought proxies beside services: they follow the registry, they are kept alive, none is left."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from era5_sidecar import bought
from lab.contract import CutOff, ShopClosed
from lab.processes import children_of
from lab.stage import Stage

PATIENCE_S = 15.0
LOOK_S = 0.02


@pytest.fixture(params=bought.PROGRAMS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    try:
        bought.find(request.param)
    except bought.Missing as missing:
        pytest.skip(str(missing))
    with Stage("5", instances=1, directory=tmp_path, proxy=request.param) as stage:
        yield stage


def until(holds: Callable[[], object]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE_S, "it did not come true"
        time.sleep(LOOK_S)


def is_placed(stage: Stage, order_id: str) -> bool:
    answer = stage.customer().place(order_id, "sku-0001", 1)
    return answer["outcome"] in ("placed", "already_placed")


def processes_under(pid: int) -> set[int]:
    """Everything that it started, and what that started."""
    children = children_of(pid)
    return children.union(*(processes_under(child) for child in children))


def test_a_killed_proxy_is_started_again(stage):
    assert is_placed(stage, "o-1")
    for name in ("inventory-1-sidecar", "orders-sidecar"):
        shell = stage.pid(name)
        before = processes_under(shell)
        stage.kill(name)
        until(lambda shell=shell, before=before: processes_under(shell) - before)
    until(lambda: _placed_or_refused(stage, "o-2"))


def _placed_or_refused(stage: Stage, order_id: str) -> bool:
    """Its door may still be shut, or what lingers of the old one answer with its end."""
    try:
        return is_placed(stage, order_id)
    except (ShopClosed, CutOff):
        return False


def test_another_instance_is_found_without_a_new_start(stage):
    assert is_placed(stage, "o-1")
    sidecar = stage.pid("orders-sidecar")
    stage.add("inventory-2")
    stage.kill("inventory-1")
    until(lambda: is_placed(stage, "o-2"))
    assert stage.pid("orders-sidecar") == sidecar


def test_a_policy_that_cannot_be_is_refused_and_the_old_one_stays(stage):
    stage.change_policy("orders", "retry.attempts", 0)
    until(lambda: "not taken over" in stage.logs("orders-sidecar"))
    assert "attempts" in stage.logs("orders-sidecar")
    assert is_placed(stage, "o-1")


def test_no_process_of_it_is_left(stage):
    started = processes_under(stage.pid("inventory-1-sidecar"))
    assert started
    assert stage.terminate("inventory-1-sidecar") == 0
    until(lambda: not any(_lives(pid) for pid in started))


def _lives(pid: int) -> bool:
    """A zombie that nobody buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
