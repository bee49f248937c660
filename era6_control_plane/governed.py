"""What the operator's interface asks of the control plane behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

LONGEST_WAIT_S = 60.0  # for a status


class Governed(Protocol):
    """What the control plane itself must answer for; called by any thread.

    All may raise ValueError, whose text is told as a 400.
    """

    def why_not_ready(self) -> str:
        """Empty, or why not."""
        ...

    def status(self, wait_for: int = 0, within_s: float = 0.0) -> Mapping[str, Any]:
        """Nodes, endpoints and authorities as JSON. wait_for: answer when every connected node has
        acknowledged or refused what this revision means for it, at the latest after within_s; then
        there is `is_settled` in it, a bool."""
        ...

    def new_token(self, service: str, instance: str, life_s: float) -> str:
        """A join token for one instance, good for one use within life_s; known to nobody else."""
        ...

    def rotate(self) -> str:
        """Begins a rotation of the authorities. Returns the stage."""
        ...
