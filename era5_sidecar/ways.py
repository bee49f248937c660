"""Where a request goes, and by which numbers: decided by an object, so it can be decided otherwise.

Here the host that a request names is a service's name. Era 6 has routes instead.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from era4_framework.config import ClientConfig
from era4_framework.policies.backoff import Backoff
from era5_sidecar.config_sections import UpstreamConfig
from era5_sidecar.connection import NEVER
from era5_sidecar.http1 import RequestHead
from era5_sidecar.tls import Identity
from era5_sidecar.upstream import Asked, Upstream


@dataclass(frozen=True)
class Fault:
    """Trouble made on purpose, once for each request, before it is sent: see what others do then.

    Shares are from 0 to 1. abort_status: what is answered instead of asking anybody. body: of that
    answer, a problem; empty: it says that it was made on purpose.
    """

    delay_s: float = 0.0
    delay_share: float = 0.0
    abort_status: int = 0
    abort_share: float = 0.0
    body: bytes = b""

    def draw(self, rng: random.Random) -> tuple[float, int]:
        """For one request: how long it waits, and how it is answered instead (0: it is not)."""
        delay_s = self.delay_s if rng.random() < self.delay_share else 0.0
        return delay_s, self.abort_status if rng.random() < self.abort_share else 0


class Way:
    """Whom to ask, and how. `client` says the times and attempts; breakers and budget are the
    upstream's own, shared by all ways that lead there.
    """

    __slots__ = ("backoff", "client", "fault", "upstream")

    def __init__(
        self,
        upstream: Upstream,
        client: ClientConfig | None = None,
        backoff: Backoff | None = None,
        fault: Fault | None = None,
    ) -> None:
        """client, backoff: the upstream's if they are not told."""
        self.upstream = upstream
        self.client = client or upstream.config
        self.backoff = backoff or upstream.backoff
        self.fault = fault

    def __repr__(self) -> str:
        return f"<Way to {self.upstream.name}>"


class Steering(Protocol):
    """Decides where requests go. `upstreams`: all those to whom it may lead."""

    upstreams: Mapping[str, Asked]

    def lead_to(self, upstreams: Mapping[str, Upstream]) -> None:
        """These they are; told once, before the first request."""

    def way(self, request: RequestHead) -> Way | None:
        """For this request; None: there is none."""

    def why_nobody(self) -> str:
        """What is said where there is none."""


class ByName:
    """A request goes to the service that it names as its host, on no port or HTTP's own."""

    def __init__(self, services: Mapping[str, UpstreamConfig]) -> None:
        self.upstreams: Mapping[str, Asked] = {
            name: Asked(name, told.client, told.most_connections, told.endpoints)
            for name, told in services.items()
        }
        self._ways: dict[bytes, Way] = {}

    def lead_to(self, upstreams: Mapping[str, Upstream]) -> None:
        for name, upstream in upstreams.items():
            host = name.encode()
            self._ways[host] = self._ways[b"%b:80" % host] = Way(upstream)

    def way(self, request: RequestHead) -> Way | None:
        return self._ways.get(request.host)

    def why_nobody(self) -> str:
        known = ", ".join(self.upstreams) or "none"
        return f"no service of this name; accepted: {known}"


@dataclass(frozen=True)
class Ruling:
    """What a ruler of many proxies says beyond one proxy's file. In this era there is none.

    steering: where our service's requests go; None: by name. identity: who we are; None: the files
    of [tls] say. is_permissive: who connects without TLS is taken, too, and has no name. served_by:
    what each answer says in X-Served-By; empty: nothing. most_age_s: of a caller's connection.
    """

    steering: Steering | None = None
    identity: Identity | None = None
    is_permissive: bool = False
    served_by: str = ""
    most_age_s: float = NEVER


NO_RULER = Ruling()
