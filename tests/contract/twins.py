"""Two shops, asked the same: the era under test, and the rules called directly, without a network.

Both start from the same seeded catalogue and hear the same operations in the same order, so they
must give the same answers. What differs is reported as a reader needs it: what was asked so far,
both answers, and where to look.
"""

import json
from typing import Any

from lab.contract import Customer, NoOutcome

COMPARED = ("outcome", "order", "field", "products")  # `detail` is prose, each shop has its own


class Disagreement(AssertionError):
    """The era's answer is not the one that the rules give."""


class Twins:
    """Ask the era and the oracle; raise Disagreement where they differ."""

    def __init__(self, name: str, customer: Customer, oracle: Customer, where: str) -> None:
        """`where` tells where the trace and the logs of the era are."""
        self.name = name
        self.customer = customer
        self.oracle = oracle
        self.where = where
        self.steps: list[str] = []

    def story(self, title: str) -> None:
        """Forget what was asked before: a new story begins."""
        self.steps = [title]

    def ask(self, operation: Any) -> dict[str, Any]:
        """The answer, which is that of both."""
        __tracebackhide__ = True
        expected = self.oracle.ask(operation)
        try:
            answer = self.customer.ask(operation)
        except NoOutcome as silence:
            answer = {"outcome": f"none: {type(silence).__name__}: {silence}"}
        self.steps.append(f"{told(operation)}  ->  {answer['outcome']}")
        if compared(answer, expected) != compared(expected, expected):
            raise Disagreement(self.report(operation, answer, expected))
        return answer

    def place(self, order_id: Any, sku: Any, quantity: Any) -> dict[str, Any]:
        __tracebackhide__ = True
        order = {"order_id": order_id, "sku": sku, "quantity": quantity}
        return self.ask({"op": "place", **order})

    def cancel(self, order_id: Any) -> dict[str, Any]:
        __tracebackhide__ = True
        return self.ask({"op": "cancel", "order_id": order_id})

    def show(self, order_id: Any) -> dict[str, Any]:
        __tracebackhide__ = True
        return self.ask({"op": "show", "order_id": order_id})

    def report(self, operation: Any, answer: dict[str, Any], expected: dict[str, Any]) -> str:
        steps = "\n".join(f"  {n:3}  {step}" for n, step in enumerate(self.steps))
        return (
            f"{self.name} and the rules of the shop disagree.\n\n"
            f"{steps}\n\n"
            f"  asked             {told(operation, 400)}\n"
            f"  the era answered  {short(answer)}\n"
            f"  the rules say     {short(expected)}\n\n"
            f"{self.where}"
        )


def compared(answer: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """What must be equal in two answers: the outcome, and of the rest what the rules tell."""
    return {key: answer.get(key) for key in COMPARED if key == "outcome" or key in expected}


def told(operation: Any, most: int = 100) -> str:
    """An operation as a person would say it."""
    if not isinstance(operation, dict) or "op" not in operation:
        return short(operation, most)
    rest = [short(value, most) for key, value in operation.items() if key != "op"]
    return " ".join([str(operation["op"]), *rest])


def short(value: Any, most: int = 400) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"
