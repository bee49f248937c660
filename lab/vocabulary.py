"""The words of commands: which there are, what the numbers among them mean."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from lab.wire import Knobs

KNOBS = {field.name: type(field.default) for field in fields(Knobs) if field.name != "script"}
CUT = "partitioned"  # the knob that has commands of its own
FATES = "drop, deliver, duplicate, corrupt or delay:SECONDS"
MOST_DIGITS = 100  # longer numbers stay words; the shop refuses either
CUSTOMERS = ("place", "cancel", "show", "catalogue")
TURNED = [name for name in KNOBS if name != CUT]
HELP = f"""\
a customer   place ORDER SKU QUANTITY | cancel ORDER | show ORDER | catalogue
customers    load N (so many order steadily) | load stop (what came of it)
             load more N (wait for so many more orders; what came of them)
the wire     KNOB VALUE, KNOB one of {", ".join(TURNED[:4])},
             {", ".join(TURNED[4:])}
             there FATE ... | back FATE ... the fates of the next frames:
             {FATES}
             cut | heal | stats
its parts    INSTANCE KNOB VALUE | INSTANCE cut | INSTANCE heal
             (era 3 on, portable wire: the path to one instance)
the services kill ROLE | restart ROLE | pause ROLE | resume ROLE
             terminate ROLE (SIGTERM) | stores (what lies in both)
             ROLE: orders or inventory; era 3 on: registry, inventory-1 ...
             era 3 on: add (an instance) | move INSTANCE (it starts elsewhere)
             era 5 on: crash ROLE (sidecar, too) | upgrade ROLE | reload ROLE
             policy ROLE KEY VALUE, as policy orders retry.attempts 1
the mesh     era 6: mesh get | mesh apply FILE | mesh status | mesh history ...
             (as `eras mesh`); add VERSION; pilot is a ROLE like the others
             served (who has answered orders since then, or since load)
             spans ORDER (its trace: each hop, each attempt)
             ask N PATH NAME=VALUE ... (so many GETs of inventory, with headers)
& at the end of a customer's line: do not wait for the answer"""


class BadCommand(ValueError):
    """The message names what was said and what is accepted."""


def operation_of(words: list[str]) -> dict[str, Any]:
    """A customer's words as an operation; raises BadCommand for too few or too many."""
    match words:
        case ["place", order_id, sku, quantity]:
            digits = quantity.removeprefix("-")
            whole = digits.isdecimal() and len(digits) < MOST_DIGITS
            number: Any = int(quantity) if whole else quantity
            return {"op": "place", "order_id": order_id, "sku": sku, "quantity": number}
        case ["cancel" | "show" as op, order_id]:
            return {"op": op, "order_id": order_id}
        case ["catalogue"]:
            return {"op": "catalogue"}
    raise BadCommand(f"{' '.join(words)!r}: accepted are {HELP.splitlines()[0][13:]}")
