"""An operator wants impossible things, and then a possible one, while customers order.

python -m lab.docs.wishes
"""

import re
from pathlib import Path

from lab.load import Load
from lab.stage import Stage

CUSTOMERS, PATIENCE_S = 4, 8.0
BETWEEN = 20  # orders between two wishes
FITS_ALL = "[[services.inventory.routes]]\nto = { v1 = 100 }\n"
WISHES = (  # what is wanted, and how the shop's intent becomes that
    ("try_timout_s = 0.2", ("try_timeout_s = 0.5", "try_timout_s = 0.2")),
    ("try_timeout_s = 4", ("try_timeout_s = 0.5", "try_timeout_s = 4")),
    ('callers = ["order"]', ('callers = ["orders"]', 'callers = ["order"]')),
    ("to = { v1 = 95, v2 = 15 }", ("", FITS_ALL.replace("v1 = 100", "v1 = 95, v2 = 15"))),
    ("to = { v1 = 100 }, twice", ("", FITS_ALL + FITS_ALL)),
    ("try_timeout_s = 0.2", ("try_timeout_s = 0.5", "try_timeout_s = 0.2")),
)


def main() -> None:
    """Print what was wanted, what the control plane said, which revision is in force."""
    with Stage("6", instances=2) as stage:
        intent = stage.operator.intent()
        path = stage.directory / "wish.toml"
        load = Load(stage, CUSTOMERS, "wish", PATIENCE_S)
        for wanted, (old, new) in WISHES:
            path.write_text(intent.replace(old, new, 1) if old else f"{intent}\n{new}")
            load.more(BETWEEN)
            print(f"> {wanted}")
            print(_told(stage, path))
            print(f"in force: revision {stage.operator.status()['revision']}")
        load.more(BETWEEN)
        print(f"> meanwhile\n{load.stop()}")


def _told(stage: Stage, path: Path) -> str:
    try:
        said = stage.operate(["apply", str(path), "--wait", "5"])
    except ValueError as refused:
        said = str(refused)
    return re.sub(re.escape(str(path)), path.name, said)


if __name__ == "__main__":
    main()
