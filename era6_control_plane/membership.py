"""Who is there: an instance, as its agent told us, until its lease runs out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """One instance that can be asked: `url` is its sidecar's inbound listener, http://IP:PORT."""

    service: str
    instance: str
    version: str
    url: str
