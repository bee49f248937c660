"""What a crowd fights for, and what is left of it when nothing moves any more."""

import time

from era0_naive import shop
from lab.history import Stores
from lab.stage import Stage

SETTLED_WITHIN_S, QUIET_S = 15.0, 0.5


def nearly_sold_out(number: int = 0) -> list[str]:
    """Few goods with few pieces: what ten customers want does not last. By number always others."""
    shelves = sorted(shop.catalogue(), key=lambda p: (p["stock"], p["sku"]))
    return [product["sku"] for product in shelves[8 * number : 8 * number + 8]]


def settled(stage: Stage) -> Stores:
    """Both stores, once they have not changed for a while: old requests may still be under way."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    stores, since = stage.stores(), time.monotonic()
    while time.monotonic() - since < QUIET_S:
        assert time.monotonic() < deadline, f"the stores still change after {SETTLED_WITHIN_S:g} s"
        time.sleep(0.05)
        now = stage.stores()
        if now != stores:
            stores, since = now, time.monotonic()
    return stores
