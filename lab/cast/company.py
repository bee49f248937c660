"""Who rules the sidecars of an era, and what stands beside each service because of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.cast.setting import Variant
from lab.launch import Role
from lab.wire.namespaces import Host


@dataclass(frozen=True)
class Places:
    """Where one instance and its surroundings are. `advertised`: "" if it is where it listens.
    `mark`: by which a host's kernel knows sidecars, or 0. `version`: of the instance, "" for none.
    """

    host: str
    app: str
    advertised: str
    mark: int = 0
    version: str = ""


class Beside(Protocol):
    """What stands beside one service: its file, and the roles that read it, the sidecar last."""

    names: Sequence[str]

    def roles(self, host: Host | None, variants: Mapping[str, Variant]) -> list[Role]:
        """Not started yet; the file is written."""

    def stay_at(self, listens: Mapping[str, str]) -> None:
        """Where it found free ports it listens again when it starts again."""

    def set(self, key: str, value: object) -> bool:
        """Change one number of a policy; whether its file says it now, and must be read again."""


class Company(Protocol):
    """The one role that is there before all sidecars, and what it makes necessary."""

    ruler: str  # its name
    secret: Path  # of which it knows who may ask it
    knows_callers: bool  # whoever comes to it must prove who he is
    hidden: Sequence[Path]  # files and folders that no service may see

    def command(self, listens: Mapping[str, str], host: str) -> list[str]:
        """Its role and options, listening where it did, or at free ports of `host`."""

    def meet(self, ruler: Role) -> dict[str, str]:
        """It is ready, or was started again: where it listens, by name. Raises RoleFailed."""

    def beside(self, instance: str, places: Places) -> Beside:
        """What a new instance gets."""

    def gather(self, instances: Sequence[str]) -> None:
        """Until these, whose sidecars are ready, are known to whoever asks them."""

    def ports(self) -> list[int]:
        """At which it is reached over the wire."""
