"""Which request belongs to which: spans, after Dapper, carried in the header of W3C Trace Context.

Everything that one customer's request causes is one trace; each hop of it is a span, whose parent
is the span that asked. The span of the request that a thread is serving stands in a context
variable: the service never sees it, and what it asks of others finds it there. What is asked from
a thread that the service itself started does not, and begins a trace of its own.
"""

import contextlib
import json
import os
import random
import time
from contextvars import ContextVar
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from era4_framework.service import Request

HEX = frozenset("0123456789abcdef")
LONGEST_NOTE = 120
LONGEST_ID = 64


@dataclass(frozen=True)
class Span:
    """One hop; ids in lowercase hexadecimal, as they travel. parent "": the trace begins here."""

    trace: str
    id: str
    parent: str = ""
    flags: str = "01"

    def header(self) -> str:
        """The value of `traceparent` for whoever is asked."""
        return f"00-{self.trace}-{self.id}-{self.flags}"


serving_span: ContextVar[Span | None] = ContextVar("serving_span", default=None)


def read_traceparent(header: str) -> Span | None:
    """The span of whoever asks; None if the header is none (Trace Context 1, section 3.2.2)."""
    version, trace, span, flags = [*header.split("-", 4), "", "", "", ""][:4]
    if [len(part) for part in (version, trace, span, flags)] != [2, 32, 16, 2]:
        return None
    if not HEX.issuperset(version + trace + span + flags) or version == "ff":
        return None
    if version == "00" and len(header) != len("00-") + 32 + 1 + 16 + 1 + 2:
        return None  # only later versions may say more
    if not trace.strip("0") or not span.strip("0"):
        return None
    return Span(trace, span, flags=flags)


class Tracer:
    """Deals spans, and writes what happened in them into the folder that ERAS_TRACE names."""

    def __init__(self, process: str, folder: str, rng: random.Random) -> None:
        """process: the name of this instance. folder: "" if nothing is to be written."""
        self.process = process
        self._path = Path(folder, f"{process}-{os.getpid()}.jsonl") if folder else None
        self._tape: FileIO | None = None  # opened for the first event, and kept
        self._rng = rng

    def inbound(self, header: str) -> Span:
        """The span of a request that came in; a header that is none begins a new trace."""
        return self._below(read_traceparent(header))

    def outbound(self) -> Span:
        """The span of one attempt, below the request that this thread is serving."""
        return self._below(serving_span.get())

    def write(
        self, what: str, source: str, target: str, request: Request, note: str, span: Span
    ) -> None:
        """One event: `what` is call, answer or note; source and target are instances."""
        if self._path is None:
            return
        event = {"t": time.monotonic(), "process": self.process, "what": what, "from": source}
        event |= {"to": target, "id": request.key[:LONGEST_ID], "note": note[:LONGEST_NOTE]}
        event |= {"trace": span.trace, "span": span.id, "parent": span.parent}
        with contextlib.suppress(OSError):  # watching must not hurt
            if self._tape is None:
                self._tape = self._path.open("ab", buffering=0)
            self._tape.write(json.dumps(event).encode() + b"\n")  # at once, whole, at the end

    def told(self, request: Request) -> str:
        """What a request asks for, as a note: `reserve o-1 sku-0001 2`."""
        if self._path is None:
            return ""
        words = [request.op, request.key, *_values(request)]
        again = f", attempt {request.attempt}" if request.attempt > 1 else ""
        return " ".join(word for word in words if word) + again

    def _below(self, parent: Span | None) -> Span:
        if parent is None:
            return Span(self._id(128), self._id(64))
        return Span(parent.trace, self._id(64), parent.id, parent.flags)

    def _id(self, bits: int) -> str:
        number = self._rng.getrandbits(bits) or 1  # all zeros is no id
        return f"{number:0{bits // 4}x}"


def _values(request: Request) -> list[str]:
    try:
        members = json.loads(request.body) if request.fields else {}
    except (ValueError, RecursionError):
        return []
    if not isinstance(members, dict):
        return []
    return [str(members[name]) for name in request.fields if name in members]
