"""What a service reports for a trace: JSON lines in the folder that ERAS_TRACE names, if it does.

The wire reports the frames; the services add what the frames were about.
"""

import contextlib
import json
import os
import time
from typing import Any

from era0_naive.outcome import Outcome


def call(process: str, caller: str, callee: str, request: dict[str, Any]) -> None:
    """`process` saw that `caller` asked `callee` for something."""
    _write(process, "call", caller, callee, request, _told(request))


def answer(process: str, callee: str, caller: str, request: Any, outcome: Outcome) -> None:
    """`process` saw that `callee` answered `caller`."""
    _write(process, "answer", callee, caller, request, outcome.kind)


def done(process: str, request: dict[str, Any], outcome: Outcome) -> None:
    """`process` did what it was asked: also when the answer will be lost on its way."""
    _write(process, "note", process, process, request, f"{_told(request)}: {outcome.kind}")


def _told(request: dict[str, Any]) -> str:
    names = ("op", "order_id", "sku", "quantity", "page")
    return " ".join(str(request[name]) for name in names if name in request)[:120]


def _write(process: str, what: str, source: str, target: str, request: Any, note: str) -> None:
    folder = os.environ.get("ERAS_TRACE")
    if not folder:
        return
    event = {"t": time.monotonic(), "process": process, "what": what, "from": source}
    event |= {"to": target, "id": str(request.get("order_id", ""))[:64], "note": note}
    path = os.path.join(folder, f"{process}-{os.getpid()}.jsonl")
    with contextlib.suppress(OSError), open(path, "a") as trace:  # watching must not hurt
        trace.write(json.dumps(event) + "\n")
