"""What was in force is kept in a file, for a proxy that dies while the control plane is dead, too.

No secrets are in it: those are the agent's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf.message import DecodeError


class Kept:
    """One file beside the node's."""

    def __init__(self, config: Path) -> None:
        self._path = config.with_name(f".{config.name}.resources")
        self._said = b""

    def save(self, resources: Iterable[Any]) -> None:
        """In one piece. Where nothing can be written, nothing is kept."""
        told = DeltaDiscoveryResponse(resources=resources)
        said = told.SerializeToString(deterministic=True)
        if said == self._said:
            return
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with suppress(OSError):
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(said)
            new.replace(self._path)
            self._said = said

    def load(self) -> list[Any]:
        """Nothing if there is none, or it cannot be read."""
        told = DeltaDiscoveryResponse()
        with suppress(OSError, DecodeError):
            told.ParseFromString(self._path.read_bytes())
        return list(told.resources)
