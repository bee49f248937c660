"""An inventory that tells in the trace what it has dealt with, as those of eras 3 and 4 do.

The services of an era with sidecars write nothing of the kind, and what has no effect on the store
is seen nowhere else: `python -m tests.promises.witness PACKAGE inventory --name ...`
"""

import importlib
import sys
from collections.abc import Callable

from era0_naive import role, shop
from era5_sidecar.tape import Tape

Reserve = Callable[..., shop.Outcome]


def told(reserve: Reserve, tape: Tape) -> Reserve:
    """The same, and a note of what came of it."""

    def reserve_and_tell(inventory: object, order_id: str, sku: str, quantity: int) -> shop.Outcome:
        kind = "failed"
        try:
            outcome = reserve(inventory, order_id, sku, quantity)
            kind = outcome.kind
            return outcome
        finally:
            tape.write("note", tape.process, tape.process, order_id, f"reserve: {kind}")

    return reserve_and_tell


if __name__ == "__main__":
    package, name = sys.argv[1], sys.argv[sys.argv.index("--name") + 1]
    main = importlib.import_module(f"{package}.inventory").main
    inventory = sys.modules[main.__module__].Inventory  # era 6's is written in era 5
    inventory.reserve = told(inventory.reserve, Tape(name))
    role.run(package, sys.argv[2:])
