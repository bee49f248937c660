"""The secret by which the control plane knows its operator: a file that only its owner reads."""

from __future__ import annotations

from pathlib import Path


def keep(path: Path) -> str:
    """The token in this file; made if there is none yet. Raises ValueError, OSError."""
    raise NotImplementedError


def read(path: Path) -> str:
    """The token in this file. Raises ValueError if others could read it, or it is none; OSError."""
    raise NotImplementedError
