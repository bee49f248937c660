"""Witnesses of the wire: the trace that ladder diagrams are drawn from, and several at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lab.wire.core import Witness
from lab.wire.line import Delivery, Fate

ENDS = ("orders", "inventory")
HEAD_BYTES = 96  # enough for every header below HTTP; the rest of a frame is the business's


class TraceFile:
    """A witness that appends every event to a file of JSON lines (the lab's one event schema).

    `send` and what became of it (`deliver`, `drop`) have the same `from`, `to` and `id`; the id is
    the number of the frame in its direction. Times are `time.monotonic()`, or virtual.
    """

    def __init__(
        self, path: Path, ends: tuple[str, str] = ENDS, head_bytes: int = HEAD_BYTES
    ) -> None:
        """`ends` are who sends at port 0 and at port 1. Raises OSError if it cannot be opened."""
        self._ends = ends
        self._head_bytes = head_bytes
        # Each event is one write, so that a reader sees whole lines and a kill loses none.
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the wire is

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Fate,
        copies: Sequence[Delivery],
    ) -> None:
        """See Witness."""
        self._write(now, "send", port, number, frame, "")
        for what, why in fate:
            self._write(now, what, port, number, frame, why)

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """See Witness."""
        self._write(now, "deliver", 1 - port, number, frame, "")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(
        self, now: float, what: str, port: int, number: int, frame: bytes, note: str
    ) -> None:
        event = {
            "t": now,
            "process": "wire",
            "what": what,
            "from": self._ends[port],
            "to": self._ends[1 - port],
            "id": number,
            "size": len(frame),
            "note": note,
            "head": frame[: self._head_bytes].hex(),
        }
        self._file.write(json.dumps(event).encode() + b"\n")


class Witnesses:
    """Several witnesses as one."""

    def __init__(self, *witnesses: Witness) -> None:
        self._witnesses = witnesses

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Fate,
        copies: Sequence[Delivery],
    ) -> None:
        """See Witness."""
        for witness in self._witnesses:
            witness.entered(now, port, number, frame, fate, copies)

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """See Witness."""
        for witness in self._witnesses:
            witness.delivered(now, port, number, frame)
