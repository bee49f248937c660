"""What several tests ask about processes, and the forms of the wire they try."""

import os
import select
import subprocess
import tempfile

import pytest

from lab import warm
from lab.find import ROOT
from lab.wire.namespaces import available

FORMS = [
    "portable",
    pytest.param("real", marks=pytest.mark.skipif(bool(available()), reason=str(available()))),
]


def has_ended(process: int, within_s: float = 5.0) -> bool:
    """Whether the process behind the descriptor ends in time."""
    ended, _, _ = select.select([process], [], [], within_s)
    os.close(process)
    return bool(ended)


def forked(command: list[str], within_s: float = 60.0) -> subprocess.CompletedProcess[str] | None:
    """What came of a `python -m` of ours that was started warm; None if that cannot be."""
    with (
        open(os.devnull, "rb") as nothing,
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
    ):
        ends = [nothing.fileno(), stdout.fileno(), stderr.fileno()]
        process = warm.fork(command, ends, ROOT)
        if process is None:
            return None
        code = process.wait(within_s)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(command, code, stdout.read(), stderr.read())
