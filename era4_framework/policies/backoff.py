"""How long to wait before sending again: full jitter, a random share of a doubling ceiling.

Clients that failed together and wait equally long come back together. "Full jitter" (Brooker,
Exponential Backoff And Jitter, AWS Architecture Blog, 2015) draws from the whole range:

    wait = random(0, min(cap, base * 2 ** retry)),     retry = 0, 1, 2, ...

If the next one to be asked said when to come again (policies/balancer.py), the random share comes
on top of that: it has told the same to all whom it refused.
"""

from random import Random

from era4_framework.config import BackoffConfig

MOST_DOUBLINGS = 64  # any cap is reached long before, and a float ends at 2 ** 1024


class Backoff:
    """Waits for retries; draws from `rng`."""

    def __init__(self, config: BackoffConfig, rng: Random) -> None:
        self._config = config
        self._rng = rng

    def wait_s(self, retry: int, rest_s: float = 0.0) -> float:
        """Seconds to wait before a retry, 0 being the first one.

        rest_s: how long it wants to be left alone who will be asked then.
        """
        return rest_s + self._rng.random() * self.ceiling_s(retry)

    def ceiling_s(self, retry: int) -> float:
        """What the random share before this retry stays below."""
        doubled_s = self._config.base_s * 2.0 ** min(retry, MOST_DOUBLINGS)
        return min(self._config.cap_s, doubled_s)
