"""What one intent changes in another: in words, key by key, and line by line."""

from __future__ import annotations

from era6_control_plane.intent import Intent


def changes(old: Intent | None, new: Intent) -> list[str]:
    """As `services.inventory.client.retry.attempts: 3 -> 2`; empty: both mean the same."""
    raise NotImplementedError


def text_diff(old: str, new: str, old_name: str, new_name: str) -> str:
    """A unified diff of the two texts; empty: they are the same."""
    raise NotImplementedError
