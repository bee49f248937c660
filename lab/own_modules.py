"""What is in this repository, imported before the fork as the libraries are; `lab.zygote` reads it.

Half of what a start of era 4 or 5 costs beyond the libraries is dataclasses being made. No role may
notice that it was spared them. So what was imported counts only while its files are as they were
read, and while nothing of that name is found before it; and who becomes another program, see
`lab.exec_warm`, finds modules as they were imported, not as it has left them.
"""

from __future__ import annotations

import copy
import importlib
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

CONTAINERS = (dict, list, set)


class OwnModules:
    """Imports these modules, and whatever of the same packages they import."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """root: the folder of the packages. One that cannot be imported will say so in its role."""
        begun_ns = time.time_ns()
        sys.path.insert(0, str(root))
        for name in names:
            with suppress(Exception):
                importlib.import_module(name)
        sys.path.remove(str(root))
        self._packages = {
            name: str(root / name / "__init__.py")
            for name in {name.partition(".")[0] for name in names}
        }
        self._modules = {
            name: module
            for name, module in sys.modules.items()
            if name.partition(".")[0] in self._packages
        }
        self._were = {name: as_imported(module) for name, module in self._modules.items()}
        files = {str(module.__file__) for module in self._modules.values()}
        self._stamps = {path: stamp(path) for path in files}
        self._is_torn = any(was and was[0] > begun_ns for was in self._stamps.values())

    def keep_if_current(self) -> None:
        """Let go of all, if not all are what Python would import here and now."""
        if self._are_as_read() and self._are_found_first():
            return
        for name in self._modules:
            sys.modules.pop(name, None)

    def restore(self) -> None:
        """Let them be as they were imported, whatever somebody has set, or put into them, since."""
        for name, (names, contents) in self._were.items():
            in_module = vars(self._modules[name])
            in_module.clear()
            in_module.update(names)
            for each, content in contents.items():
                refill(in_module[each], content)

    def _are_as_read(self) -> bool:
        return not self._is_torn and all(stamp(path) == was for path, was in self._stamps.items())

    def _are_found_first(self) -> bool:
        found = {name: PathFinder.find_spec(name, sys.path) for name in self._packages}
        return all(spec and spec.origin == self._packages[name] for name, spec in found.items())


def as_imported(module: ModuleType) -> tuple[dict[str, Any], dict[str, Any]]:
    """All names of a module, and a copy of each container that it could fill."""
    names = dict(vars(module))
    public = {name: value for name, value in names.items() if not name.startswith("__")}
    filled = {name: value for name, value in public.items() if type(value) in CONTAINERS}
    return names, {name: copy.copy(value) for name, value in filled.items()}


def refill(container: Any, content: Any) -> None:
    """With what it had in it."""
    container.clear()
    add = container.extend if isinstance(container, list) else container.update
    add(content)


def stamp(path: str) -> tuple[int, int] | None:
    """By which one sees that a file was changed; None if it is gone."""
    with suppress(OSError):
        told = os.stat(path)  # twice as fast as a Path's, and asked of a hundred files
        return told.st_mtime_ns, told.st_size
    return None
