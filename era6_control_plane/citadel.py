"""Who is who: the authority of the mesh, whom it lets in, and how it is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from era5_sidecar.certificates import Pair


class Citadel:
    """Signs, and lives in a folder of its own. Any thread may use it; times are seconds since 1970.

    `on_change` is told, in whichever thread that is, when `authorities()` is another, or when
    everybody must have a new certificate.
    """

    def __init__(self, folder: Path, now: float) -> None:
        """Makes an authority if there is none. Raises OSError, ValueError, Busy."""
        self.on_change: Callable[[], None] = lambda: None
        raise NotImplementedError

    def authorities(self) -> bytes:
        """Whose signature makes a certificate believable, now: one or two in PEM."""
        raise NotImplementedError

    def sign(self, csr: bytes, service: str, instance: str, life_s: float, now: float) -> bytes:
        """A certificate in PEM for the key in `csr`. Raises ValueError that says what is wrong."""
        raise NotImplementedError

    def own(self, now: float) -> Pair:
        """The control plane's own certificate and key: the same ones until half their life."""
        raise NotImplementedError

    def new_token(self, service: str, instance: str, life_s: float, now: float) -> str:
        """Lets one instance in, once. Raises ValueError for a name that nobody may have."""
        raise NotImplementedError

    def rotate(self, now: float) -> str:
        """Begins to replace the authority; the stage. Raises ValueError if one is under way."""
        raise NotImplementedError

    def look(self, now: float) -> bool:
        """Whether the replacement got a stage further; to be asked every second or so."""
        raise NotImplementedError

    def status(self, now: float) -> dict[str, Any]:
        """{"stage", "since", "authorities": [fingerprints], "signing", "waits_for": [instances]}"""
        raise NotImplementedError
