"""Era 5's proxy, told what to do by a control plane instead of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Runs the proxy until it is stopped; `ready` is told where its inbound listener is, once the
    first whole configuration is in force. config: as node.read takes it.
    """
    raise NotImplementedError
