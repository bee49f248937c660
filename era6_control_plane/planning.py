"""What to send next on one stream of xDS: pure, without gRPC and without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from era6_control_plane.snapshot import Resource, Snapshot


class Mode(Enum):
    """The two dialects. WHOLE: state of the world, each answer has all there is of its kind."""

    WHOLE = "whole"
    DELTA = "delta"


class Heard(Enum):
    """What a request was."""

    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Request:
    """What a client says about one kind. names: in DELTA only those that are new.

    version: WHOLE, what it has; has: DELTA, what it has, by name. refused: why, of the answer with
    this nonce; None: not at all.
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
    """What to send. removed: only in DELTA."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Versions of one kind, for who looks; refused: why the wanted one is not in force."""

    desired: str
    sent: str
    acknowledged: str
    refused: str | None


class Stream:
    """One conversation. Call `hear` for each request and `plan` after it and after each change."""

    def __init__(self, mode: Mode, before: Stream | None = None) -> None:
        """before: the last stream of the same node, if there was one."""
        self.mode = mode

    def hear(self, request: Request) -> Heard:
        """Raises ValueError if it asks for more names than any node has."""
        raise NotImplementedError

    def plan(self, snapshot: Snapshot | None) -> list[Answer]:
        """What may be sent now, in this order. None: we do not know this node, and say nothing."""
        raise NotImplementedError

    def progress(self, snapshot: Snapshot | None) -> dict[str, Progress]:
        """By type URL, of each kind that was asked for."""
        raise NotImplementedError

    def is_settled(self, snapshot: Snapshot | None) -> bool:
        """Whether nothing is on its way, nor to be sent."""
        raise NotImplementedError
