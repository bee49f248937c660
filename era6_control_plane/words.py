"""What agents and the control plane say to each other, beside xDS: `seven_eras.Mesh`, in JSON.

    Join    {"token", "service", "instance", "csr"}   once, without a certificate
    Renew   {"csr"}                                   with one
            answered by {"certificate", "authorities"}
    Attend  a stream: heartbeats one way, instructions the other

Each message is a JSON object in UTF-8. A key that is missing has its default, one that is not known
is ignored, as the two ends are not upgraded at the same moment.
"""

from __future__ import annotations

import json
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeVar

MESH = "seven_eras.Mesh"
JOIN, RENEW, ATTEND = "Join", "Renew", "Attend"
MOST_BYTES = 65536
BEATS_PER_LEASE = 4  # one lost heartbeat is no death


class Words(Protocol):
    """Any dataclass below."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Kind = TypeVar("Kind", bound=Words)


@dataclass(frozen=True)
class Application:
    """Somebody wants its first certificate. csr: in PEM."""

    token: str = field(default="", repr=False)
    service: str = ""
    instance: str = ""
    csr: str = ""


@dataclass(frozen=True)
class Renewal:
    """Somebody who has a certificate wants the next one, for the same name."""

    csr: str = ""


@dataclass(frozen=True)
class Grant:
    """A certificate, and whom its owner is to believe; both in PEM."""

    certificate: str = ""
    authorities: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """How an instance is. url: of its sidecar's inbound listener; empty: it has not said yet.

    authorities: the hash of those that its agent serves. serial: of its certificate, hex digits.
    leaving: this is the last one.
    """

    url: str = ""
    version: str = ""
    is_well: bool = False
    authorities: str = ""
    serial: str = ""
    leaving: bool = False


@dataclass(frozen=True)
class Instruction:
    """What an agent is to do. lease_s: how long a heartbeat holds. authorities: in PEM, to be
    believed and served from now on. renew: get another certificate now.
    """

    lease_s: float = 0.0
    authorities: str = ""
    renew: bool = False


def written(words: Words) -> bytes:
    """As it is sent."""
    return json.dumps(asdict(words)).encode()


def read(kind: type[Kind], body: bytes) -> Kind:
    """What was sent, as one of the classes above. Raises ValueError that says what is accepted, and
    quotes nothing.
    """
    if len(body) > MOST_BYTES:
        raise ValueError(f"a message of {len(body)} bytes; accepted: at most {MOST_BYTES}")
    try:
        table = json.loads(body)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise ValueError("a message that is none; accepted: a JSON object in UTF-8") from None
    found = {each.name: table[each.name] for each in fields(kind) if each.name in table}
    for each in fields(kind):
        if each.name in found and not _fits(found[each.name], each.default):
            name = type(each.default).__name__
            raise ValueError(f"{each.name} of another kind; accepted: {KINDS[name]}")
    return kind(**found)


KINDS = {"str": "text", "bool": "true or false", "float": "a number"}


def _fits(value: object, default: object) -> bool:
    if isinstance(default, float):
        return type(value) in (int, float)
    if isinstance(value, str) and not _can_be_sent(value):
        return False
    return type(value) is type(default)


def _can_be_sent(text: str) -> bool:
    """JSON can spell half a character; nothing else can (RFC 8259, section 8.2)."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
