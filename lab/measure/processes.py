"""Processes of a measurement: started, ready by their own word, and gone with the `with` block."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from lab.find import child_environment
from lab.guard import Guard
from lab.launch import Role, RoleFailed
from lab.measure import CannotMeasure


class Processes:
    """Any number of processes that say `NAME ready at ADDRESS`, and a folder for their files."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        made = tempfile.TemporaryDirectory(prefix="eras-measure-")
        self.folder = Path(self._ends.enter_context(made))
        self._guard = Guard()
        self._ends.callback(self._guard.close)

    def begin(
        self, name: str, module: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> Role:
        """Start `python -m MODULE OPTIONS`, without waiting until it is ready.

        `environment` is added to ours.
        """
        return self.begin_program(name, [sys.executable, "-m", module, *options], environment)

    def begin_program(
        self, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Role:
        """Start a program of any kind; most say no ready line, so ask at their address."""
        role = Role(
            name,
            argv,
            log=self.folder / f"{name}.log",
            guard=self._guard,
            environment={**child_environment(), **(environment or {})},
        )
        self._ends.callback(role.kill)
        role.begin()
        return role

    def start(
        self, name: str, module: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> Role:
        """The same, and return it when it is ready. Raises CannotMeasure."""
        role = self.begin(name, module, *options, environment=environment)
        wait_ready(role)
        return role

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


def wait_ready(*roles: Role) -> None:
    """Wait for all their ready lines; raises CannotMeasure with what was said instead."""
    try:
        for role in roles:
            role.wait_ready()
    except RoleFailed as failure:
        raise CannotMeasure(str(failure)) from failure
