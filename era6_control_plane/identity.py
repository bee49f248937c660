"""Who is at the other end of a gRPC connection: its certificate says so, and nothing else does.

A certificate of ours names a service twice, for whoever calls it and for whom it calls, and the
instance as its subject. What the peer writes into its messages never says who it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """One instance, as a certificate of ours names it.

    serial: of that certificate, hex digits. signed_by: which authority signed it, see
    `authority.fingerprint`. ends_at: when it ends, in seconds since 1970.
    """

    service: str
    instance: str
    serial: str
    signed_by: str
    ends_at: float


def peer_of(auth_context: Mapping[str, Iterable[bytes]], now: float) -> Peer:
    """Of a connection to the node port: what `context.auth_context()` says.

    now: seconds since 1970. Raises ValueError if it names no instance of ours, or has ended.
    """
    raise NotImplementedError
