"""Era 3's inventory without one of its precautions: a program to be run instead of the right one.

python -m tests.histories.careless PRECAUTION inventory --name ... (roles and options are era 3's)
"""

import sys

from era0_naive import role, shop
from era3_inline_microservice.inventory import Inventory


def without_deduplication(self: Inventory, order_id: str, sku: str, quantity: int) -> shop.Outcome:
    return self.stock.reserve(order_id, sku, quantity)


def without_tombstones(self: Inventory, order_id: str, sku: str, quantity: int) -> shop.Outcome:
    with self.stock.transaction():
        if self.stock.reserved(order_id):
            return shop.Outcome("reserved")
        return self.stock.reserve(order_id, sku, quantity)


WITHOUT = {"deduplication": without_deduplication, "tombstones": without_tombstones}

if __name__ == "__main__":
    Inventory.reserve = WITHOUT[sys.argv[1]]
    role.run("era3_inline_microservice", sys.argv[2:])
