"""What happened, for the ladder diagrams: trace events in the folder that ERAS_TRACE names.

The same lines as era 4 writes; only the sidecar knows of attempts now, so only it can write them.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from io import FileIO
from pathlib import Path

LONGEST_NOTE = 120
LONGEST_ID = 64


class Tape:
    """One for each process; writing to one that is not on does nothing."""

    def __init__(self, process: str, folder: str | None = None) -> None:
        """process: the name of this instance. folder: "" if nothing is to be written."""
        folder = os.environ.get("ERAS_TRACE", "") if folder is None else folder
        self.process = process
        self.is_on = bool(folder)
        self._path = Path(folder, f"{process}-{os.getpid()}.jsonl")
        self._file: FileIO | None = None  # opened for the first event, and kept

    def write(
        self,
        what: str,
        source: str,
        target: str,
        id: str,
        note: str,
        trace: str = "",
        span: str = "",
        parent: str = "",
    ) -> None:
        """One event: `what` is call, answer or note; source and target are instances."""
        if not self.is_on:
            return
        event = {"t": time.monotonic(), "process": self.process, "what": what, "from": source}
        event |= {"to": target, "id": id[:LONGEST_ID], "note": note[:LONGEST_NOTE]}
        event |= {"trace": trace, "span": span, "parent": parent}
        with contextlib.suppress(OSError):  # watching must not hurt
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            self._file.write(json.dumps(event).encode() + b"\n")  # at once, whole, at the end

    def close(self) -> None:
        """Nothing more is written until the next event."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def __repr__(self) -> str:
        return f"<Tape of {self.process}, {'on' if self.is_on else 'off'}>"
