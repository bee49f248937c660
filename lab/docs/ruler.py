"""The control plane fails in every way that it can, while customers order.

python -m lab.docs.ruler
"""

import time
from collections.abc import Callable

from lab.cast.operator import Status, is_in_step
from lab.load import Load
from lab.stage import Stage

CUSTOMERS, PATIENCE_S = 6, 8.0
BETWEEN = 40  # orders between two troubles
LONG_S = 3.0  # silence is noticed sooner
NODES = ("orders", "inventory-1", "inventory-2", "inventory-3")


def main() -> None:
    """Print what was done, how soon all proxies were in step where they can be, what came of it."""
    with Stage("6", instances=3) as stage:
        load = Load(stage, CUSTOMERS, "ruler", PATIENCE_S)
        load.more(BETWEEN)
        for what, act in TROUBLES:
            print(f"> {what}")
            told = act(stage)
            if told:
                print(told)
            print(load.more(BETWEEN))
        print(f"> in all\n{load.stop()}")


def _in_step(stage: Stage, began: float) -> str:
    """Something new is wanted: who has not noticed yet that it lost its stream cannot obey."""
    rate = int(began * 1000) % 100 + 500
    stage.operator.change("services.inventory.quotas.orders.rate_per_s", rate)
    stage.operator.wait(_all_are, "all in step")
    return f"a change is obeyed by all {len(NODES)} proxies after {time.monotonic() - began:.2f} s"


def _all_are(status: Status) -> bool:
    return len(status["nodes"]) == len(NODES) and all(map(is_in_step, status["nodes"]))


def _kill(stage: Stage) -> str:
    stage.kill("pilot")
    return ""


def _kill_an_inventory(stage: Stage) -> str:
    stage.kill("inventory-1")
    return ""


def _kill_a_proxy(stage: Stage) -> str:
    stage.kill("inventory-2-sidecar")
    return ""


def _begin_again(stage: Stage) -> str:
    stage.restart("pilot")
    told = _in_step(stage, time.monotonic())
    stage.restart("inventory-1")
    return told


def _freeze(stage: Stage) -> str:
    stage.pause("pilot")
    time.sleep(LONG_S)  # nothing can be seen yet: it is found out in this time
    return ""


def _thaw(stage: Stage) -> str:
    stage.resume("pilot")
    return _in_step(stage, time.monotonic())


def _cut(stage: Stage) -> str:
    for node in NODES:
        stage.control_of(node).partition()
    time.sleep(LONG_S)
    return ""


def _heal(stage: Stage) -> str:
    for node in NODES:
        stage.control_of(node).heal()
    return _in_step(stage, time.monotonic())


TROUBLES: tuple[tuple[str, Callable[[Stage], str]], ...] = (
    ("the control plane is killed", _kill),
    ("an inventory is killed, and nobody is told", _kill_an_inventory),
    ("a proxy is killed, and starts again with what it had", _kill_a_proxy),
    ("the control plane starts again, and the inventory", _begin_again),
    ("the control plane stands still", _freeze),
    ("it goes on", _thaw),
    ("all proxies are cut off from it", _cut),
    ("the cut is healed", _heal),
)


if __name__ == "__main__":
    main()
