"""Waiting for a moment of the wall clock: a clock may be set, and a host may sleep meanwhile.

A timer counts neither. Who waits for half a certificate's life by a timer alone finds, after a
night with the lid closed, that it ended hours ago, and waits on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

LOOK_S = 1.0


async def wait_until(
    moment: float,
    sooner: asyncio.Event,
    now: Callable[[], float] = time.time,
    look_s: float = LOOK_S,
    since: float = -math.inf,
) -> None:
    """Until that moment, in seconds since 1970, or until `sooner` is set, or the clock was set back
    before `since`. look_s: how often the clock is looked at.
    """
    while not sooner.is_set() and since <= (seen := now()) < moment:
        with suppress(TimeoutError):
            await asyncio.wait_for(sooner.wait(), min(moment - seen, look_s))
