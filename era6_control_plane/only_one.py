"""One control plane in one state folder: of two, each would sign with what the other has replaced.

The kernel lets go of it with the process, however that ends.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

FILE = "pilot.lock"


def hold(folder: Path) -> IO[bytes]:
    """Ours for as long as this is kept open. Raises OSError if it is another's."""
    file = (folder / FILE).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        accepted = "accepted: one where no other control plane runs"
        raise OSError(f"state {folder} is in use; {accepted}") from None
    return file
