"""The laws of the shop, asked of a history and of both stores after the dust has settled.

Each is linear in the length of the history. What they cannot see, an answer that was wrong only
at the moment it was given, is the task of `lab.linear`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.history import Operation, Stores

UNSETTLED = ("placing", "refusing", "cancelling")
JUDGED = {"placed", "already_placed", "out_of_stock", "unknown_sku"}  # the shelf was looked at


@dataclass(frozen=True)
class Violation:
    law: str
    subject: str
    told: str

    def __str__(self) -> str:
        return f"{self.law}: {self.subject}: {self.told}"


def check(history: Sequence[Operation], stores: Stores, settled: bool = False) -> list[Violation]:
    """Every broken law, with the order or sku that broke it; an empty list is a clean bill.

    settled: also demand that no order was left half done (from era 3 on, when repeating a request
    is safe, customers repeat until they know).
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
    if settled and status in UNSETTLED:
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
