"""What one can say to a running shop, a line each: at the prompt of `eras up`, and in a story.

    place o-1 sku-0001 2      cancel o-1      show o-1      catalogue      (a customer's)
    loss 0.2                  delay_s 0.05    there drop deliver           (the wire's)
    kill inventory            restart inventory            cut     heal    (fate's)

A line that ends with & does not wait for its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any

from lab.contract import NoOutcome, Outcome
from lab.stage import Stage
from lab.wire import Knobs

KNOBS = {field.name: type(field.default) for field in fields(Knobs) if field.name != "script"}
CUT = "partitioned"  # the knob that has commands of its own
FATES = "drop, deliver, duplicate, corrupt or delay:SECONDS"
MOST_DIGITS = 100  # longer numbers stay words; the shop refuses either
CUSTOMERS = ("place", "cancel", "show", "catalogue")
HELP = f"""\
a customer   place ORDER SKU QUANTITY | cancel ORDER | show ORDER | catalogue
the wire     KNOB VALUE with KNOB one of {", ".join(name for name in KNOBS if name != CUT)}
             there FATE ... | back FATE ... the fates of the next frames: {FATES}
             cut | heal | stats
the services kill ROLE | restart ROLE | pause ROLE | resume ROLE, ROLE orders or inventory
             stores (what lies in both)
& at the end of a customer's line: do not wait for the answer"""


class BadCommand(ValueError):
    """The message names what was said and what is accepted."""


@dataclass(frozen=True)
class Answer:
    """What came of a line: `outcome` is a customer's, or what became of him, else empty."""

    text: str
    outcome: str = ""


class Conductor:
    """Obeys lines on one stage."""

    def __init__(self, stage: Stage, patience_s: float) -> None:
        """`patience_s`: how long a customer waits for an answer."""
        self._stage = stage
        self._patience_s = patience_s
        self._waiting: list[tuple[str, threading.Thread, list[Answer]]] = []

    def obey(self, line: str) -> Answer:
        """Do what the line says. Raises BadCommand, KnobError, RoleFailed."""
        words = line.split()
        match words:
            case ["place" | "cancel" | "show" | "catalogue", *_, "&"]:
                return self._later(line, operation_of(words[:-1]))
            case ["place" | "cancel" | "show" | "catalogue", *_]:
                return self._ask(operation_of(words))
            case [knob, value] if knob in KNOBS:
                self._turn(knob, value)
            case ["there" | "back" as direction, *fates] if fates:
                self._stage.wire.script(direction, fates)
            case ["cut"]:
                self._stage.wire.partition()
            case ["heal"]:
                self._stage.wire.heal()
            case ["kill" | "restart" | "pause" | "resume" as verb, role]:
                self._to_role(verb, role)
            case ["stats"]:
                return Answer(_counted(self._stage.wire.stats()))
            case ["stores"]:
                return Answer("\n".join(told_stores(self._stage)))
            case _:
                raise BadCommand(f"{line!r} is no command; accepted:\n{HELP}")
        return Answer("")

    def join(self) -> list[tuple[str, Answer]]:
        """Wait for the customers who were not waited for: each line with its answer."""
        for _, thread, _ in self._waiting:
            thread.join()
        answers = [(line, answer) for line, _, said in self._waiting for answer in said]
        self._waiting = []
        return answers

    def _ask(self, operation: dict[str, Any]) -> Answer:
        try:
            with closing(self._stage.customer()) as customer:  # whoever stays takes up a place
                outcome = customer.ask(operation, timeout_s=self._patience_s)
        except NoOutcome as silence:
            return Answer(str(silence).partition(" to b'")[0], type(silence).__name__)
        return Answer(told(outcome), outcome["outcome"])

    def _later(self, line: str, operation: dict[str, Any]) -> Answer:
        said: list[Answer] = []
        thread = threading.Thread(target=lambda: said.append(self._ask(operation)), daemon=True)
        thread.start()
        self._waiting.append((line, thread, said))
        return Answer("")

    def _turn(self, knob: str, value: str) -> None:
        kind: Callable[[str], Any] = KNOBS[knob]
        if knob == CUT:
            raise BadCommand(f"{CUT} is turned with cut and heal")
        try:
            number = kind(value)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise BadCommand(f"{knob} is {value!r}; accepted: {wanted}") from None
        self._stage.wire.set(**{knob: number})

    def _to_role(self, verb: str, role: str) -> None:
        verbs = {
            "kill": self._stage.kill,
            "restart": self._stage.restart,
            "pause": self._stage.pause,
            "resume": self._stage.resume,
        }
        try:
            verbs[verb](role)
        except ValueError as wrong:
            raise BadCommand(str(wrong)) from wrong


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


def told(outcome: Outcome) -> str:
    """An outcome in a line, without the details that fill a screen."""
    order = outcome.get("order")
    if order:
        return f"{outcome['outcome']}: {order['quantity']} of {order['sku']} as {order['order_id']}"
    if "products" in outcome:
        return f"{outcome['outcome']}: {len(outcome['products'])} products"
    detail = outcome.get("detail")
    return f"{outcome['outcome']}: {detail}" if detail else str(outcome["outcome"])


def told_stores(stage: Stage) -> list[str]:
    """What orders has in its book, and what inventory has given away: they should be the same."""
    stores = stage.stores()
    book = [f"{q} of {sku} as {o}, {status}" for o, (sku, q, status) in stores.orders.items()]
    given = [f"{quantity} of {sku} as {order}" for order, sku, quantity in stores.reservations]
    return [
        f"orders has in its book:  {'; '.join(book) or 'nothing'}",
        f"inventory has reserved:  {'; '.join(given) or 'nothing'}",
    ]


def _counted(stats: dict[str, dict[str, int]]) -> str:
    lines = []
    for direction, counts in stats.items():
        shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        lines.append(f"{direction:>5}: {shown or 'nothing'}")
    return "\n".join(lines)
