"""What was in force before: for a proxy that starts while the control plane is away.

Era 5 keeps a copy of its file, we of the resources. No secrets are in it: those are the agent's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf.message import DecodeError

from era5_sidecar.last_good import copy_of, keep


class Keeping:
    """What one proxy keeps for whoever is started in its place: a file beside the node's."""

    def __init__(self, path: Path) -> None:
        """path: of the node's file."""
        self._path = path
        self._raw = b""

    def keep(self, resources: Iterable[Any]) -> None:
        """These are in force now. Where nothing can be written, nothing is kept."""
        told = DeltaDiscoveryResponse(resources=resources)
        raw = told.SerializeToString(deterministic=True)
        if raw == self._raw:
            return
        with suppress(OSError):
            keep(self._path, raw)
            self._raw = raw

    def kept(self) -> list[Any]:
        """Nothing if there is none, or it cannot be read."""
        told = DeltaDiscoveryResponse()
        with suppress(OSError, DecodeError):
            told.ParseFromString(copy_of(self._path).read_bytes())
        return list(told.resources)
