"""Waiting for a moment of the wall clock: a clock may be set, and a host may sleep meanwhile.

A timer counts neither. Who waits for half a certificate's life by a timer alone finds, after a
night with the lid closed, that it ended hours ago, and waits on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

LOOK_S = 1.0


async def wait_until(
    moment: float,
    sooner: asyncio.Event,
    now: Callable[[], float] = time.time,
    look_s: float = LOOK_S,
) -> None:
    """Until that moment, in seconds since 1970, or until `sooner` is set. look_s: how often the
    clock is looked at.
    """
    while not sooner.is_set() and (rest_s := moment - now()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(sooner.wait(), min(rest_s, look_s))
