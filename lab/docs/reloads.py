"""A sidecar is told something impossible, and something possible, while customers order.

python -m lab.docs.reloads
"""

import json
import re
import time
import urllib.request
from typing import Any

from lab.load import Load
from lab.stage import Stage

CUSTOMERS, PATIENCE_S = 4, 8.0
WITHIN_S, LOOK_S = 5.0, 0.01
SIDECAR = "orders-sidecar"
BETWEEN = 20  # orders between two changes
CHANGES = (
    "try_timeout_s = -1",
    "try_timout_s = 0.2",
    "try_timeout_s = 0.2 s",
    "try_timeout_s = 0.2",
)


def main() -> None:
    """Print what was written, what the sidecar said, what is in force."""
    with Stage("5", instances=1) as stage:
        path = stage.directory / f"{SIDECAR}.toml"
        well = path.read_text()
        admin = re.findall(r"admin=(\S+)", stage.logs(SIDECAR))[-1]
        load = Load(stage, CUSTOMERS, "reload", PATIENCE_S)
        for change in CHANGES:
            path.write_text(re.sub(r"^try_timeout_s = .*$", change, well, flags=re.MULTILINE))
            load.more(BETWEEN)
            print(f"> {change}")
            print(_told(stage).replace(str(stage.directory), "..."))
            print(f"in force: try_timeout_s = {_in_force(admin)}")
        load.more(BETWEEN)
        print(f"> meanwhile\n{load.stop()}")


def _in_force(admin: str) -> float:
    with urllib.request.urlopen(f"{admin}/config", timeout=PATIENCE_S) as answer:  # noqa: S310
        told: dict[str, Any] = json.load(answer)
    return float(told["outbound"]["services"]["inventory"]["client"]["try_timeout_s"])


def _told(stage: Stage) -> str:
    """What the sidecar says when it is told to read its file again."""
    known, until = len(stage.logs(SIDECAR)), time.monotonic() + WITHIN_S
    stage.reload(SIDECAR)
    while "\n" not in (said := stage.logs(SIDECAR)[known:]):
        if time.monotonic() > until:
            raise TimeoutError(f"{SIDECAR} said nothing within {WITHIN_S:g} s")
        time.sleep(LOOK_S)
    return said.strip()


if __name__ == "__main__":
    main()
