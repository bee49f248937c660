"""Which request belongs to which: W3C Trace Context, level 1, as bytes on the way through.

A sidecar sees what comes in to its service and what goes out, but not which belongs to which. The
service copies `traceparent` from the one to the other: the span in it is ours, and with the span we
remember what else the service need not know, such as how long its caller will wait.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

HEADER = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
LUGGAGE = (b"tracestate", b"baggage")
NO_TRACE, NO_SPAN = b"0" * 32, b"0" * 16


@dataclass(slots=True)
class Span:
    """One hop; ids in lowercase hexadecimal, as they travel. parent b"": the trace begins here."""

    trace: bytes
    id: bytes
    parent: bytes = b""
    flags: bytes = b"01"

    def header(self) -> bytes:
        return b"traceparent: 00-%b-%b-%b\r\n" % (self.trace, self.id, self.flags)


class Spans:
    """Deals spans; their ids come from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._bits = rng.getrandbits

    def beside(self, span: Span) -> Span:
        """Another one with the same parent, as for another attempt."""
        return Span(span.trace, b"%016x" % (self._bits(64) or 1), span.parent, span.flags)

    def below(self, header: bytes | None) -> Span:
        """A new span below the one that a header names; a header that is none begins a trace."""
        span = b"%016x" % (self._bits(64) or 1)
        found = HEADER.fullmatch(header) if header is not None else None
        if found is None:
            return Span(b"%032x" % (self._bits(128) or 1), span)
        version, trace, parent, flags, more = found.groups()
        is_none = version == b"ff" or trace == NO_TRACE or parent == NO_SPAN
        if is_none or (version == b"00" and more is not None):
            return Span(b"%032x" % (self._bits(128) or 1), span)
        return Span(trace, span, parent, flags)


def luggage(special: Mapping[bytes, bytes]) -> bytes:
    """What travels with a trace beside it, as fields: Trace Context, section 3.3; W3C Baggage."""
    if b"tracestate" not in special and b"baggage" not in special:
        return b""
    return b"".join(b"%b: %b\r\n" % (name, special[name]) for name in LUGGAGE if name in special)
