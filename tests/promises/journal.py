"""What an inventory in JavaScript holds: what happened to it, a line of JSON each."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from era0_naive import shop
from lab.history import Stores, read_stores
from lab.stage import Stage

NO_STOCK = """
CREATE TABLE reservations (order_id TEXT, sku TEXT, quantity INTEGER);
CREATE TABLE stock (sku TEXT, initial INTEGER, available INTEGER);
"""


def stores_of(stage: Stage) -> Stores:
    """What lies in both stores now, for the laws, in whatever language the stock is kept."""
    journal = stage.directory / "stock.db.jsonl"
    if not journal.exists():
        return stage.stores()
    empty = stage.directory / "no-stock.db"
    if not empty.exists():
        with closing(sqlite3.connect(empty)) as made:
            made.executescript(NO_STOCK)
    reservations = _replayed(journal)
    orders = read_stores(empty, stage.directory / "book.db").orders
    return Stores(_shelves(reservations), reservations, orders)


def _replayed(journal: Path) -> list[tuple[str, str, int]]:
    """Each reservation that was not released; one that was made twice stands there twice."""
    held: list[tuple[str, str, int]] = []
    for line in journal.read_text().splitlines():
        event = json.loads(line)
        if event["op"] == "reserve":
            held.append((event["order_id"], event["sku"], event["quantity"]))
        else:
            held = [each for each in held if each[0] != event["order_id"]]
    return held


def _shelves(reservations: list[tuple[str, str, int]]) -> dict[str, tuple[int, int]]:
    """sku -> (initial, available)."""
    left = {product["sku"]: product["stock"] for product in shop.catalogue()}
    initial = dict(left)
    for _, sku, quantity in reservations:
        left[sku] -= quantity
    return {sku: (initial[sku], left[sku]) for sku in left}
