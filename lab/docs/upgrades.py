"""What is started again for a new release, and for a new number: counted under load, by pid.

python -m lab.docs.upgrades 4 5                 both
python -m lab.docs.upgrades number 3 4 5 6      only the number
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.cast.operator import is_in_step
from lab.load import Load
from lab.processes import children_of
from lab.release import install
from lab.stage import NoWay, Stage, Variant

CUSTOMERS, PATIENCE_S = 6, 8.0
INSTANCES = 3
BETWEEN = 30  # orders between two changes
KEY, VALUE = "quotas.orders.rate_per_s", 800.0
NUMBER = "number"
ANOTHER_RELEASE = "two"  # of a framework; what a sidecar takes over from may be its like

Change = Callable[[Stage], str]


def main(words: list[str]) -> None:
    """Print a block or two for each era."""
    is_all = words[0] != NUMBER
    for era in words if is_all else words[1:]:
        if is_all:
            _show(era, "another release of what guards the services", _upgrade)
        _show(era, f"{KEY} = {VALUE:g} for every inventory", _say_a_number)


def _show(era: str, what: str, change: Change) -> None:
    with Stage(era, instances=INSTANCES) as stage:
        services = ["orders", *stage.instances]
        before = {name: stage.pid(name) for name in services}
        proxies = _proxies(stage)
        load = Load(stage, CUSTOMERS, "upgrade", PATIENCE_S)
        load.more(BETWEEN)
        done = change(stage)
        load.more(BETWEEN)
        came_of_it = load.stop()
        again = [name for name in services if stage.pid(name) != before[name]]
        replaced = len(proxies - _proxies(stage))
    print(f"> era {era}: {what}")
    print(f"{done}; services started again: {len(again)} of {len(services)}")
    if proxies:
        print(f"proxies replaced: {replaced} of {len(proxies)}")
    print(f"{came_of_it}\n")


def _proxies(stage: Stage) -> set[int]:
    """The processes that sidecars look after."""
    sidecars = [name for name in stage.roles if name.endswith("-sidecar")]
    return {pid for name in sidecars for pid in children_of(stage.pid(name))}


def _upgrade(stage: Stage) -> str:
    sidecars = [name for name in stage.roles if name.endswith("-sidecar")]
    for name in sidecars:
        stage.upgrade(name)
    if sidecars:
        return f"{len(sidecars)} sidecars upgraded"
    with tempfile.TemporaryDirectory() as folder:
        release = install(stage.era.package, ANOTHER_RELEASE, Path(folder))
        argv = [sys.executable, "-m", stage.era.package]
        newer = Variant(argv, environment={"PYTHONPATH": str(release)})
        for name in [*stage.instances, "orders"]:
            stage.restart(name, newer)
    return "the library deployed with every service"


def _say_a_number(stage: Stage) -> str:
    if stage.era.has_control_plane:
        return _want_a_number(stage)
    try:
        for name in stage.instances:
            stage.change_policy(name, KEY, VALUE)
    except NoWay:
        for name in stage.instances:
            stage.restart(name)
        where = "arguments" if stage.era.number == "4" else "constants"
        return f"1 number changed in the code's {where}"
    return f"{len(stage.instances)} files changed"


def _want_a_number(stage: Stage) -> str:
    began = time.monotonic()
    status = stage.operator.obeyed(stage.operator.change(f"services.inventory.{KEY}", VALUE))
    took_ms = 1000 * (time.monotonic() - began)
    in_step = sum(is_in_step(node) for node in status["nodes"])
    nodes = len(status["nodes"])
    return f"1 wish changed, acknowledged by {in_step} of {nodes} proxies after {took_ms:.0f} ms"


if __name__ == "__main__":
    main(sys.argv[1:])
