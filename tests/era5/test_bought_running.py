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


@pytest.fixture(scope="module", params=bought.PROGRAMS)
def bought_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One for all tests of a program, which come in this order: the last one leaves it broken."""
    try:
        bought.find(request.param)
    except bought.Missing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("bought")
    with Stage("5", instances=1, directory=folder, proxy=request.param) as stage:
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


def test_a_killed_proxy_is_started_again(bought_shop):
    assert is_placed(bought_shop, "o-1")
    for name in ("inventory-1-sidecar", "orders-sidecar"):
        shell = bought_shop.pid(name)
        before = processes_under(shell)
        bought_shop.kill(name)
        until(lambda shell=shell, before=before: processes_under(shell) - before)
    until(lambda: _placed_or_refused(bought_shop, "o-2"))


def _placed_or_refused(stage: Stage, order_id: str) -> bool:
    """Its door may still be shut, or what lingers of the old one answer with its end."""
    try:
        return is_placed(stage, order_id)
    except (ShopClosed, CutOff):
        return False


def test_another_instance_is_found_without_a_new_start(bought_shop):
    assert is_placed(bought_shop, "o-1")
    sidecar = bought_shop.pid("orders-sidecar")
    bought_shop.add("inventory-2")
    bought_shop.kill("inventory-1")
    until(lambda: is_placed(bought_shop, "o-2"))
    assert bought_shop.pid("orders-sidecar") == sidecar


def test_a_policy_that_cannot_be_is_refused_and_the_old_one_stays(bought_shop):
    bought_shop.change_policy("orders", "retry.attempts", 0)
    until(lambda: "not taken over" in bought_shop.logs("orders-sidecar"))
    assert "attempts" in bought_shop.logs("orders-sidecar")
    assert is_placed(bought_shop, "o-1")


def test_no_process_of_it_is_left(bought_shop):
    started = processes_under(bought_shop.pid("inventory-1-sidecar"))
    assert started
    assert bought_shop.terminate("inventory-1-sidecar") == 0
    until(lambda: not any(_lives(pid) for pid in started))


def _lives(pid: int) -> bool:
    """A zombie that nobody buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
