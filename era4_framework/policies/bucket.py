"""A token bucket: so much for ever, and a burst after a silence.

A request takes a token; tokens come back at a steady rate, up to what the bucket holds. They come
back continuously, a bit of one with every moment, as in Envoy's local limiter: with 5 a second, a
caller who has emptied the bucket is admitted 0.2 s later, and not five times at the full second.
(RFC 2697 and others describe the same meter for packets.)
"""

import math

from era4_framework.config import QuotaConfig

# 0.6 s - 0.4 s is a little less than 0.2 s in floats: who comes exactly on time is not refused.
# What is lent so is owed, so the rate holds.
ROUNDING = 1e-6


class TokenBucket:
    """The quota of one caller; full at the start."""

    __slots__ = ("_burst", "_filled_at", "_rate_per_s", "_tokens")

    def __init__(self, config: QuotaConfig) -> None:
        self._rate_per_s = config.rate_per_s
        self._burst = config.burst
        self._tokens = config.burst
        self._filled_at = -math.inf

    def __repr__(self) -> str:
        return f"<TokenBucket {self._tokens:.1f} of {self._burst:g}>"

    def try_take(self, now: float, n: int = 1) -> bool:
        """Take `n` tokens if they are there; returns whether they were.

        Raises ValueError for an `n` that the bucket never holds.
        """
        if not 0 < n <= self._burst:
            raise ValueError(f"n is {n}: accepted is 1 to the burst, {self._burst:g}")
        self._refill(now)
        if self._tokens < n - ROUNDING:
            return False
        self._tokens -= n
        return True

    def wait_s(self, now: float, n: int = 1) -> float:
        """How long until there are `n` tokens, if nobody takes any; 0 if there are."""
        self._refill(now)
        return max(0.0, (n - self._tokens) / self._rate_per_s)

    def retry_after_s(self, now: float, n: int = 1) -> int:
        """The same in whole seconds and at least 1, as Retry-After wants it (RFC 9110 10.2.3)."""
        return max(1, math.ceil(self.wait_s(now, n)))

    def _refill(self, now: float) -> None:
        if now <= self._filled_at:
            return
        gained = (now - self._filled_at) * self._rate_per_s
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
