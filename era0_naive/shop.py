"""The shop: what an order is, what may become of it, and the laws that always hold.

Nothing here knows a network, so all seven eras share it unchanged. The call to the other service
is a parameter (`reserve`, `release`): how it travels is what the eras are about.

An order's life, as the book of `orders` has it:

                place              reserved           cancel               released
    (absent) ----------> placing ----------> placed ----------> cancelling ----------> cancelled
        ^                 |   |                ^                     |
        +---- refused ----+   | refused,       +-- never reached ----+
        ^                     v in doubt
        +---- released --- refusing

`placing`, `cancelling` and `refusing` are written down before the call leaves. Whoever is killed
in between has left a note that something was begun, and repeating the same request finishes it.

In doubt is a refusal after an attempt that got no answer: that attempt may still be under way,
and find the shelf filled again when it arrives. So the goods are released before anybody is
refused, and inventory, where it remembers what was released (from era 3 on), turns the late
attempt away. The order's id is then used up.
"""

from collections.abc import Callable
from dataclasses import replace

from era0_naive.goods import CATALOGUE_SEED, Product, catalogue, read_catalogue
from era0_naive.outcome import Order, Outcome, read_outcome, refusal, refuse, respond, unavailable
from era0_naive.sqlite_file import Busy
from era0_naive.stores import Book, Stock

__all__ = [  # the shop's front door: whoever needs the business imports this module only
    "CATALOGUE_SEED",
    "Book",
    "Busy",
    "Order",
    "Outcome",
    "Product",
    "Stock",
    "broken_laws",
    "cancel",
    "catalogue",
    "place",
    "read_catalogue",
    "read_outcome",
    "refusal",
    "refuse",
    "respond",
    "show",
    "unavailable",
]

HELD = "somebody else holds the book"  # customers need not know where its file is
Reserve = Callable[[str, str, int], Outcome]  # order_id, sku, quantity
Release = Callable[[str], Outcome]  # order_id


def place(
    book: Book,
    reserve: Reserve,
    order_id: str,
    sku: str,
    quantity: int,
    release: Release | None = None,
) -> Outcome:
    """Take an order: the same id with the same content is one order.

    Safe to repeat after an answer. After an answer that was lost, only where inventory recognises
    the repetition (from era 3 on): else the goods may be taken twice, or refused and taken.

    release: given from era 3 on, for what was refused in doubt. `reserve` says so itself if that
    came about within it: by an `out_of_stock` that is not `certain`.
    """
    refused = refusal(order_id, sku, quantity)
    if refused:
        return refused
    with book.alone(order_id):
        try:
            order, is_new = book.begin(order_id, sku, quantity)
        except Busy:
            return unavailable(f"{HELD}; nothing was changed", certain=True)
        if (order.sku, order.quantity) != (sku, quantity) or order.status == "cancelled":
            held = f"{order.quantity} of {order.sku}, {order.status}"
            return Outcome("conflict", f"order {order_id} exists: {held}", order=order)
        if order.status == "placed":
            return Outcome("already_placed", order=order)
        if order.status == "cancelling":
            return _unsettled(order)
        if order.status == "refusing" and release:
            answer = Outcome("out_of_stock", f"too few of {sku} when order {order_id} was tried")
        else:
            answer = reserve(order_id, sku, quantity)
        try:
            return _written_down(book, release, order, is_new, answer)
        except Busy:  # what inventory has done it has done
            return _unknown(unavailable(HELD, certain=False))


def _written_down(
    book: Book, release: Release | None, order: Order, is_new: bool, answer: Outcome
) -> Outcome:
    in_doubt = not is_new or answer.certain is False
    if answer.kind == "out_of_stock" and in_doubt and release:
        book.move(order.order_id, "placing", "refusing")
        return _refuse(book, release, order.order_id, replace(answer, certain=None))
    return _after_reserve(book, order, is_new, answer)


def _refuse(book: Book, release: Release, order_id: str, refusal: Outcome) -> Outcome:
    """What an earlier attempt may have reserved, or may reserve yet, must be taken back first."""
    answer = release(order_id)
    if answer.kind != "released":
        return _unknown(answer)
    book.strike_out(order_id)
    return refusal


def _after_reserve(book: Book, order: Order, is_new: bool, answer: Outcome) -> Outcome:
    if answer.kind == "reserved":
        was_first = book.confirm(order)
        placed = replace(order, status="placed")
        return Outcome("placed" if was_first else "already_placed", order=placed)
    if answer.kind in ("out_of_stock", "unknown_sku", "conflict"):  # conflict: its id is used up
        book.strike_out(order.order_id)
        return answer
    # an earlier attempt may have reserved: only a first one that changed nothing leaves no trace
    changed_nothing = answer.certain or (answer.kind == "invalid" and answer.certain is None)
    if is_new and changed_nothing and book.strike_out(order.order_id):
        return replace(answer, detail=f"{answer.detail}; nothing was changed")
    return _unknown(answer)


def cancel(book: Book, release: Release, order_id: str) -> Outcome:
    """Take an order back, its goods return to the shelf. Safe to repeat."""
    refused = refusal(order_id)
    if refused:
        return refused
    with book.alone(order_id):
        order = book.find(order_id)
        if order is None:
            return Outcome("not_found", f"no order {order_id}")
        if order.status == "cancelled":
            return Outcome("cancelled", order=order)
        if order.status in ("placing", "refusing"):
            return _unsettled(order)
        try:
            is_new = book.move(order_id, "placed", "cancelling")
        except Busy:
            return unavailable(f"{HELD}; nothing was changed", certain=True)
        answer = release(order_id)
        try:
            return _after_release(book, order, is_new, answer)
        except Busy:
            return _unknown(unavailable(HELD, certain=False))


def _after_release(book: Book, order: Order, is_new: bool, answer: Outcome) -> Outcome:
    if answer.kind == "released":
        book.move(order.order_id, "cancelling", "cancelled")
        return Outcome("cancelled", order=replace(order, status="cancelled"))
    if is_new and answer.certain:
        book.move(order.order_id, "cancelling", "placed")
        return replace(answer, detail=f"{answer.detail}; nothing was changed")
    return _unknown(answer)


def show(book: Book, order_id: str) -> Outcome:
    """Tell what is known of an order."""
    refused = refusal(order_id)
    if refused:
        return refused
    order = book.find(order_id)
    if order is None:
        return Outcome("not_found", f"no order {order_id}")
    if order.status in ("placed", "cancelled"):
        return Outcome(order.status, order=order)
    return _unsettled(order)


def _unknown(answer: Outcome) -> Outcome:
    why = answer.detail or f"inventory answered {answer.kind}"
    return unavailable(f"{why}; the fate is unknown: repeat the same request", certain=False)


def _unsettled(order: Order) -> Outcome:
    """An earlier request of unknown fate: only its own repetition settles it."""
    again = "cancel" if order.status == "cancelling" else "place"
    left = f"order {order.order_id} was left {order.status}"
    return unavailable(f"{left}: {again} it again to settle its fate", certain=False)


def broken_laws(stock: Stock, book: Book) -> list[str]:
    """What can never be true of both stores while no request is under way; empty: all is well."""
    shelves, reservations, orders = stock.shelves(), stock.reservations(), book.orders()
    taken = dict.fromkeys(shelves, 0)
    held: dict[str, list[tuple[str, int]]] = {}
    for order_id, sku, quantity in reservations:
        taken[sku] = taken.get(sku, 0) + quantity
        held.setdefault(order_id, []).append((sku, quantity))

    broken = []
    for sku, (initial, available) in shelves.items():
        if available < 0 or available + taken[sku] != initial:
            broken.append(f"{sku}: {available} available + {taken[sku]} reserved, not {initial}")
    placed = {
        order.order_id: [(order.sku, order.quantity)]
        for order in orders
        if order.status == "placed"
    }
    unsettled = ("placing", "refusing", "cancelling")
    open_ids = {order.order_id for order in orders if order.status in unsettled}
    for order_id in sorted((placed.keys() | held.keys()) - open_ids):
        asked, given = placed.get(order_id, []), held.get(order_id, [])
        if asked != given:
            broken.append(f"order {order_id}: placed {asked}, reserved {given}")
    return broken
