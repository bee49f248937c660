"""The operator's command: what is wanted of the mesh, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def main(arguments: Sequence[str], ready: Callable[[str], None]) -> None:
    """Does one thing and ends: 0 done, 1 refused, 2 misunderstood or nobody there."""
    raise NotImplementedError
