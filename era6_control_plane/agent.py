"""Beside each instance: makes its key, gets its certificate, hands both to the proxy beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def main(config: Path, ready: Callable[[str], None]) -> None:
    """Until SIGTERM. ready: told `unix:PATH` once a certificate is served there."""
    raise NotImplementedError
