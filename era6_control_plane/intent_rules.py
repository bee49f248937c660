"""What must hold between the parts of an intent; each part has checked itself when it was made."""

from __future__ import annotations

from era6_control_plane.intent import Intent


def check(intent: Intent) -> None:
    """Raises ConfigError for the first contradiction, named as in the file."""
    raise NotImplementedError
