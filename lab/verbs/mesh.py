"""Ask and tell the control plane of a running mesh: `eras up 6` shows where it is.

All that stands behind `eras mesh` is understood by the era itself, in whose place this command
runs: python -m PACKAGE mesh ...
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lab.find import child_environment, eras


class NoMesh(ValueError):
    """No era here has a control plane."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`: they are the era's, and go there by `pass_on`."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")


def run(options: argparse.Namespace) -> int:
    """No era has taken what was typed. Raises NoMesh."""
    raise NoMesh("no era here has a control plane: none says HAS_CONTROL_PLANE and SCHEMES")


def pass_on(arguments: Sequence[str]) -> None:
    """Becomes the era's own command, with all that was typed, `--help`, too, if there is one."""
    found = [era for era in eras() if era.has_control_plane]
    if not found:
        return
    command = [sys.executable, "-m", found[-1].package, "mesh", *arguments]
    os.execve(sys.executable, command, child_environment())  # noqa: S606
