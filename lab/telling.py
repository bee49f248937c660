"""Answers in words: an outcome, what lies in the stores, what a wire has counted."""

from __future__ import annotations

from lab.contract import Outcome
from lab.stage import Stage


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


def told_counts(stats: dict[str, dict[str, int]]) -> str:
    """What a wire has counted, a line for each direction."""
    lines = []
    for direction, counts in stats.items():
        shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        lines.append(f"{direction:>5}: {shown or 'nothing'}")
    return "\n".join(lines)
