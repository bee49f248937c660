"""What customers asked and were told, and whether it can be true: a recorder and the laws.

A history is a log of *invoke* and, later, one of *ok*, *fail*, *info*. The last is the honest one:
the customer does not know. An answer can be lost after the work was done, so

    ok    the answer arrived and says yes     exactly one effect
    fail  the answer arrived and says no      no effect, now or later (a definite error)
    info  no answer, or "I do not know"       none or one: any moment from the call to for ever

The laws below are each linear in the length of the history and look at the two stores after the
dust has settled. What they cannot see, an answer that was wrong only when it was given, is the
task of `lab.linear`.

Source of the vocabulary: Jepsen and Maelstrom, "definite and indefinite errors".
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

YES = {"placed", "already_placed", "cancelled"}
NO = {"conflict", "out_of_stock", "unknown_sku", "invalid", "not_found"}
JUDGED = {"placed", "already_placed", "out_of_stock", "unknown_sku"}  # stock was looked at
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


@dataclass(frozen=True)
class Violation:
    law: str
    subject: str
    told: str

    def __str__(self) -> str:
        return f"{self.law}: {self.subject}: {self.told}"


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


# --- the laws ---------------------------------------------------------------------------------


def check(history: Sequence[Operation], stores: Stores, settled: bool = False) -> list[Violation]:
    """Every broken law, with the order or sku that broke it; an empty list is a clean bill.

    settled: also demand that no order was left `placing` or `cancelling` (from era 3 on, when
    repeating a request is safe, customers repeat until they know).
    """
    calls: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        calls[operation.order_id].append(operation)
    reserved: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for order_id, sku, quantity in stores.reservations:
        reserved[order_id].append((sku, quantity))

    found = list(_shelves(stores))
    for order_id in sorted({*calls, *reserved, *stores.orders}):
        row = stores.orders.get(order_id)
        found += _effects(order_id, calls[order_id], reserved[order_id])
        found += _book(order_id, calls[order_id], reserved[order_id], row, settled)
        found += _answers(order_id, calls[order_id], stores)
    return found


def _shelves(stores: Stores) -> Iterator[Violation]:
    taken: Counter[str] = Counter()
    for _, sku, quantity in stores.reservations:
        taken[sku] += quantity
    for sku, (initial, available) in stores.stock.items():
        if available < 0:
            yield Violation("stock is never negative", sku, f"{available} available")
        if taken[sku] > initial:
            yield Violation("nothing is oversold", sku, f"{taken[sku]} reserved of {initial}")
        if available + taken[sku] != initial:
            sums = f"{available} available + {taken[sku]} reserved, initially {initial}"
            yield Violation("available + reserved = initial", sku, sums)
    for sku in taken.keys() - stores.stock.keys():
        yield Violation("only known goods are reserved", sku, f"{taken[sku]} reserved")


def _effects(
    order_id: str, calls: list[Operation], reserved: list[tuple[str, int]]
) -> Iterator[Violation]:
    places = [c for c in calls if c.op == "place"]
    cancels = [c for c in calls if c.op == "cancel" and c.kind != "fail"]
    accepted = [c for c in places if c.kind == "ok"]
    possible = {c.content for c in places if c.kind != "fail"}
    told = ", ".join(f"{c.op} {c.outcome or c.kind}" for c in calls) or "nobody asked"

    if len(reserved) > 1:
        yield Violation("at most one effect", order_id, f"{len(reserved)} reservations; {told}")
    if len({c.content for c in accepted}) > 1:
        yield Violation("one id, one content", order_id, told)
    if reserved and not possible:
        yield Violation("a refusal has no effect", order_id, f"{reserved}; {told}")
    elif not set(reserved) <= possible:
        yield Violation("what was asked is reserved", order_id, f"{reserved}; {told}")
    if accepted and not reserved and not cancels:
        yield Violation("ok has its effect", order_id, f"no reservation; {told}")
    if reserved and any(c.kind == "ok" for c in cancels):
        yield Violation("a cancelled order holds nothing", order_id, f"{reserved}; {told}")


def _book(
    order_id: str,
    calls: list[Operation],
    reserved: list[tuple[str, int]],
    row: tuple[str, int, str] | None,
    settled: bool,
) -> Iterator[Violation]:
    status = row[2] if row else "absent"
    accepted = any(c.op == "place" and c.kind == "ok" for c in calls)
    if row and status == "placed" and reserved != [(row[0], row[1])]:
        yield Violation("book and stock agree", order_id, f"placed {row[:2]}, reserved {reserved}")
    if status in ("absent", "cancelled") and reserved:
        yield Violation("book and stock agree", order_id, f"{status}, reserved {reserved}")
    if settled and status in ("placing", "cancelling"):
        yield Violation("every order is settled", order_id, status)
    if accepted and not row:
        yield Violation("an accepted order is in the book", order_id, "no such row")


def _answers(order_id: str, calls: list[Operation], stores: Stores) -> Iterator[Violation]:
    for call in calls:
        judged = call.op == "place" and call.outcome in JUDGED
        if judged and (call.outcome == "unknown_sku") == (call.sku in stores.stock):
            yield Violation("goods are known or not", order_id, f"{call.sku} {call.outcome}")
        if call.op == "show" and call.outcome in ("placed", "cancelled", "not_found"):
            yield from _shown(order_id, call, calls)


def _shown(order_id: str, show: Operation, calls: list[Operation]) -> Iterator[Violation]:
    asked = [c for c in calls if c.op == "place" and c.called < show.returned]
    before = [c for c in calls if c.returned < show.called and c.kind == "ok"]
    if show.outcome == "not_found":
        if any(c.op == "place" for c in before):
            yield Violation("what was accepted is shown", order_id, "placed, then not_found")
        return
    content = (show.order.get("sku"), show.order.get("quantity"))
    if content not in [c.content for c in asked if c.kind != "fail"]:
        yield Violation("what was asked is shown", order_id, f"shown {content}")
    if show.outcome == "placed" and any(c.op == "cancel" for c in before):
        yield Violation("what was accepted is shown", order_id, "cancelled, then placed")
