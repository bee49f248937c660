"""What customers asked and were told: a recorder for many threads.

A history is a log of *invoke* and, later, one of *ok*, *fail*, *info*. The last is the honest one:
the customer does not know. An answer can be lost after the work was done, so

    ok    the answer arrived and says yes     exactly one effect
    fail  the answer arrived and says no      no effect, now or later (a definite error)
    info  no answer, or "I do not know"       none or one: any moment from the call to for ever

Whether it can all be true is judged by `lab.laws` and `lab.linear`.

Source of the vocabulary: Jepsen and Maelstrom, "definite and indefinite errors".
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

YES = {"placed", "already_placed", "cancelled"}
NO = {"conflict", "out_of_stock", "unknown_sku", "invalid", "not_found"}
NEVER = float("inf")


@dataclass(frozen=True)
class Operation:
    """One call of one customer. `called` and `returned` in seconds of one clock; NEVER if info."""

    customer: str
    op: str
    order_id: str
    sku: str = ""
    quantity: int = 0
    called: float = 0.0
    returned: float = NEVER
    kind: str = "info"
    outcome: str = ""
    order: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> tuple[str, int]:
        return self.sku, self.quantity


@dataclass(frozen=True)
class Stores:
    """What both services hold once nothing moves any more.

    stock: sku -> (initial, available). reservations: (order_id, sku, quantity), repeats kept.
    orders: order_id -> (sku, quantity, status), status as the book writes it.
    """

    stock: Mapping[str, tuple[int, int]]
    reservations: Sequence[tuple[str, str, int]]
    orders: Mapping[str, tuple[str, int, str]]


class Recorder:
    """Logs what many threads ask and are told. Thread-safe; one clock for all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.events: list[dict[str, Any]] = []

    def invoke(self, customer: str, operation: Mapping[str, Any]) -> int:
        """Returns the number of the call, which its completion names."""
        with self._lock:
            call = len(self.events)
            event = {"t": self._clock(), "type": "invoke", "customer": customer, "call": call}
            self.events.append(event | {"operation": dict(operation)})
            return call

    def complete(self, call: int, outcome: Mapping[str, Any] | None, why: str = "") -> None:
        """`outcome` is the answer; None when there was none (`why`: timed out, connection lost)."""
        kind = "info" if outcome is None else kind_of(outcome)
        with self._lock:
            event = {"t": self._clock(), "type": kind, "call": call, "why": why}
            self.events.append(event | {"outcome": dict(outcome or {})})

    def operations(self) -> list[Operation]:
        """The calls, in the order of their invocation; those never completed are info."""
        with self._lock:
            done = {e["call"]: e for e in self.events if e["type"] != "invoke"}
            return [
                _operation(e, done.get(e["call"])) for e in self.events if e["type"] == "invoke"
            ]

    def save(self, path: Path) -> None:
        """Writes the log as JSON lines, so that a failed run can be read and checked again."""
        path.write_text("".join(json.dumps(event) + "\n" for event in self.events))


def kind_of(outcome: Mapping[str, Any]) -> str:
    """ok, fail or info. `unavailable` is definite only where it says that nothing happened."""
    name = outcome.get("outcome")
    if name in YES:
        return "ok"
    if name in NO:
        return "fail"
    return "fail" if outcome.get("certain") else "info"


def _operation(call: dict[str, Any], done: dict[str, Any] | None) -> Operation:
    asked, answer = call["operation"], (done or {}).get("outcome") or {}
    kind = done["type"] if done else "info"
    return Operation(
        customer=call["customer"],
        op=asked["op"],
        order_id=asked.get("order_id", ""),
        sku=asked.get("sku", ""),
        quantity=asked.get("quantity", 0),
        called=call["t"],
        returned=done["t"] if done and kind != "info" else NEVER,
        kind=kind,
        outcome=answer.get("outcome", ""),
        order=answer.get("order") or {},
    )


def read_stores(stock: Path, book: Path) -> Stores:
    """What lies in the SQLite files of both services. Read-only: nothing is locked or created.

    Each file is read at one instant, but not both at the same: let the dust settle first.
    """
    reservations, shelves = _rows(
        stock,
        "SELECT order_id, sku, quantity FROM reservations",
        "SELECT sku, initial, available FROM stock",
    )
    (orders,) = _rows(book, "SELECT order_id, sku, quantity, status FROM orders")
    return Stores(
        stock={sku: (initial, available) for sku, initial, available in shelves},
        reservations=reservations,
        orders={order_id: (sku, quantity, status) for order_id, sku, quantity, status in orders},
    )


def _rows(file: Path, *questions: str) -> list[list[Any]]:
    reading = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(reading, uri=True, isolation_level=None)) as store:
        store.execute("BEGIN")  # in one transaction all answers are of the same instant
        return [store.execute(question).fetchall() for question in questions]
