"""Who is there: an instance, as its agent told us, until its lease runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LEASE_S = 2.0
NETWORKS = ("127.0.0.0/8",)


@dataclass(frozen=True)
class Endpoint:
    """One instance that can be asked: `url` is its sidecar's inbound listener, http://IP:PORT."""

    service: str
    instance: str
    version: str
    url: str


class Membership:
    """All instances that are there. `now` is monotonic seconds. For one thread.

    `on_change` is told when `endpoints()` is another.
    """

    def __init__(
        self,
        path: Path,
        now: float,
        networks: Sequence[str] = NETWORKS,
        lease_s: float = LEASE_S,
    ) -> None:
        """path: an SQLite file. Who was there has a fresh lease. Raises ValueError, Busy."""
        self.on_change: Callable[[], None] = lambda: None
        raise NotImplementedError

    def endpoints(self) -> tuple[Endpoint, ...]:
        """By service and instance."""
        raise NotImplementedError

    def age_s(self, endpoint: Endpoint, now: float) -> float:
        """How long ago its agent said that it is there."""
        raise NotImplementedError

    def renew(self, now: float) -> None:
        """Everybody has a fresh lease: nobody could tell us anything until now."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Who has been silent for too long is gone."""
        raise NotImplementedError
