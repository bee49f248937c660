"""The secret by which the control plane knows its operator: a file that only its owner reads."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

LENGTH_BYTES = 32
TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")  # short enough for a header, too long to be guessed
ONLY_OURS = 0o600
MOST_BYTES = 1024


def keep(path: Path) -> str:
    """The token in this file; made if there is none yet. Raises ValueError, OSError."""
    if path.exists():
        return read(path)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # nobody else may read it at any moment, and it is there whole or not at all
    file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ONLY_OURS)
    try:
        with os.fdopen(file, "w") as opened:
            opened.write(f"{secrets.token_urlsafe(LENGTH_BYTES)}\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.link(half, path)
    except FileExistsError:
        pass  # another was faster: his is the one
    finally:
        half.unlink()
    return read(path)


def read(path: Path) -> str:
    """The token in this file. Raises ValueError if others could read it, or it is none; OSError."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ValueError(f"{path} can be read by others ({mode:o}); accepted: mode 600")
        token = file.read(MOST_BYTES).decode("latin-1").strip()
    check(token, str(path))
    return token


def check(token: str, where: str) -> None:
    """Raises ValueError, which does not tell it, unless it could be one. where: it is from."""
    if not TOKEN.fullmatch(token):
        raise ValueError(f"what {where} says is no token; accepted: 32 to 256 of A-Z a-z 0-9 _ -")
