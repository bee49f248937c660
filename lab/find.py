"""Find eras: the packages beside this one named `era0_...` to `era6_...`, or any package by name.

A package is an era when its `__init__.py` says which address schemes its roles speak:
`SCHEMES = {"portable": "udp", "real": "ip"}`, one per form of the wire it can run over.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
FORMS = ("portable", "real")


class UnknownEra(Exception):
    """No such era; the message says which are accepted."""


@dataclass(frozen=True)
class Era:
    """One way for the two services to talk."""

    package: str
    title: str  # the first line of the package's docstring
    schemes: Mapping[str, str]  # form of the wire -> scheme of the addresses
    folder: Path
    has_sidecars: bool = False  # its package says HAS_SIDECARS: a proxy stands beside each service
    has_control_plane: bool = False  # HAS_CONTROL_PLANE: these are told what to do from one place

    @property
    def number(self) -> str:
        """`1` for `era1_raw_network`; a learner's own era is called by its whole name."""
        return self.package[3] if is_numbered(self.package) else self.package

    @property
    def speaks_http(self) -> bool:
        """Whether there are many instances at URLs (eras 3 to 6), or one and a counter."""
        return "http" in self.schemes.values()


def is_numbered(package: str) -> bool:
    """Whether the name is that of one of the seven eras."""
    return package[:3] == "era" and package[3:4] in "0123456" and package[4:5] == "_"


def eras() -> list[Era]:
    """All numbered eras that exist here, in order."""
    folders = sorted(path.parent.name for path in ROOT.glob("era[0-6]_*/__init__.py"))
    return [_load(package) for package in folders]


def find(name: str) -> Era:
    """The era with this number or package name; raises UnknownEra."""
    numbered = [path.parent.name for path in ROOT.glob(f"era{name}_*/__init__.py")]
    if name.isdecimal() and numbered:
        return _load(numbered[0])
    if not all(part.isidentifier() for part in name.split(".")):
        raise UnknownEra(_unknown(name))
    return _load(name)


def child_environment() -> dict[str, str]:
    """The environment in which a child process finds the same packages as this process."""
    inherited = os.environ.get("PYTHONPATH", "")
    places = [str(ROOT), os.getcwd(), *inherited.split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, places)))}


def _load(package: str) -> Era:
    module = _import(package)
    schemes = getattr(module, "SCHEMES", None)
    if not isinstance(schemes, Mapping) or not set(schemes) <= set(FORMS) or not schemes:
        raise UnknownEra(
            f"package {package!r} is no era: its __init__.py must say which addresses its roles "
            f'speak, as SCHEMES = {{"portable": "udp", "real": "ip"}}; it says {schemes!r}'
        )
    title = (module.__doc__ or package).strip().splitlines()[0]
    folder = Path(module.__file__ or "").parent
    said = (hasattr(module, name) for name in ("HAS_SIDECARS", "HAS_CONTROL_PLANE"))
    return Era(package, title, schemes, folder, *said)


def _import(package: str) -> ModuleType:
    for place in (os.getcwd(), str(ROOT)):
        if place not in sys.path:
            sys.path.append(place)  # the `eras` command has neither; `python -m` has the first
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not package.startswith(error.name):
            raise  # the era is there; what it imports is not
        raise UnknownEra(_unknown(package)) from error


def _unknown(name: str) -> str:
    numbers = ", ".join(era.number for era in eras()) or "none yet"
    return (
        f"unknown era {name!r}: accepted are {numbers}, or the name of a package that has SCHEMES "
        "in its __init__.py"
    )
