"""Steady load: orders fall due whatever became of those before them."""

import threading
from itertools import pairwise

from lab.contract import ShopClosed
from lab.measure.load import CUSTOMERS, Asked, Load


class Shop:
    """Answers as it is told, and remembers who asked for what."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda: {"outcome": "placed"})
        self.ids = []
        self.came = threading.Semaphore(0)

    def place(self, order_id, sku, quantity):
        self.ids.append(order_id)
        self.came.release()
        return self.answer()


def wait_for(shop, orders):
    for _ in range(orders):
        assert shop.came.acquire(timeout=10)


def test_every_order_has_an_id_of_its_own():
    shop = Shop()
    with Load(lambda: shop, rate_per_s=2000, prefix="x") as load:
        wait_for(shop, 100)
        asked = load.stop()
    assert len(asked) == len(set(shop.ids)) == len(shop.ids) >= 100
    numbers = [int(order_id.removeprefix("x-")) for order_id in shop.ids]
    # who had drawn his number and not begun when it was stopped left it out
    assert max(numbers) < len(numbers) + CUSTOMERS


def test_orders_fall_due_at_even_intervals():
    shop = Shop()
    with Load(lambda: shop, rate_per_s=1000, prefix="x") as load:
        wait_for(shop, 20)
        due = [one.due_s for one in load.stop()]
    gaps = [round((later - earlier) * 1000, 3) for earlier, later in pairwise(due)]
    # when it was stopped one may have been about to begin while its follower had begun: a gap
    assert min(gaps) == 1 and all(gap in range(1, 20) for gap in gaps), gaps


def test_an_order_that_hangs_holds_up_no_other_and_its_wait_counts():
    everybody_came = threading.Event()
    shop = Shop(lambda: {"outcome": "placed"} if everybody_came.wait(10) else None)
    with Load(lambda: shop, rate_per_s=1000, prefix="x") as load:
        wait_for(shop, 20)  # none of them is answered yet
        everybody_came.set()
        asked = load.stop()
    assert len(asked) >= 20
    assert asked[0].took_s > asked[19].took_s > 0


def test_who_learns_nothing_failed_and_so_did_who_was_refused():
    def closed():
        raise ShopClosed("nobody there")

    shop = Shop(closed)
    with Load(lambda: shop, rate_per_s=1000, prefix="x") as load:
        wait_for(shop, 1)
        asked = load.stop()
    assert asked[0].outcome == "ShopClosed"
    assert asked[0].is_failed
    assert Asked(0.0, 0.1, "unavailable").is_failed
    assert not Asked(0.0, 0.1, "already_placed").is_failed
