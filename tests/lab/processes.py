"""What several tests ask about processes, and the forms of the wire they try."""

import os
import select

import pytest

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
