"""What is said on a stream of xDS, in either variant, without gRPC: who asks, who answers.

State of the World (SOTW): a request names all that is asked for of one kind, an answer has all
there is. Incremental (DELTA): both say only what is new or gone. An answer carries a nonce; the
request that repeats it is an ACK of the answer or, with an error in it, a NACK.

| here               | SOTW: DiscoveryRequest       | DELTA: DeltaDiscoveryRequest         |
|--------------------|------------------------------|--------------------------------------|
| nonce              | response_nonce               | response_nonce                       |
| names, dropped     | resource_names               | resource_names_subscribe, …unsubscribe |
| version, has       | version_info                 | initial_resource_versions            |
| refused            | error_detail                 | error_detail                         |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from era6_control_plane.snapshot import Resource


class Mode(Enum):
    """The two variants of the protocol."""

    SOTW = "sotw"
    DELTA = "delta"


class Heard(Enum):
    """What a request was. STALE: about an answer that another one has overtaken, or about none;
    what it asks for counts all the same. UNKNOWN: of a kind that we do not know, so nothing counts.
    """

    ASKED = "asked"
    ACK = "ack"
    NACK = "nack"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Request:
    """What a client says about one kind.

    names: SOTW, all that it asks for; DELTA, those that it asks for from now on. dropped: DELTA,
    those that it does no longer. version, has: what it has from an earlier stream, SOTW and DELTA.
    refused: why the answer with this nonce is; None: it is not.
    """

    type_url: str
    nonce: str = ""
    version: str = ""
    names: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    has: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None


@dataclass(frozen=True)
class Answer:
    """What to send. removed: DELTA, those that are no more."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()
