"""How a service is started, says that it is ready, and is stopped: alike in every era.

A value on the command line that cannot be used ends the start with exit code 2 and one line that
names it. SIGTERM and Ctrl-C end a role at any time, quietly.
"""

import argparse
import importlib
import importlib.util
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from era0_naive.command_line import command_line
from era0_naive.sqlite_file import Busy

CANNOT_START = 2  # the exit code, as argparse's own


def run(package: str, arguments: Sequence[str]) -> None:
    """`python -m PACKAGE`: one role of an era or, without arguments, the era's story."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    era = importlib.import_module(package)
    asked = command_line(era).parse_args(arguments)
    if asked.role is None:
        _tell_story(package)
        return
    is_ready = False

    def ready(address: str) -> None:
        nonlocal is_ready
        is_ready = True
        line = f"{asked.role} ready at {address}\n"
        print(line, end="", flush=True)  # in one piece: others may write there, too

    try:
        _start(package, asked, ready)
    except (OSError, ValueError, sqlite3.Error, Busy) as error:
        if is_ready:  # then it is no matter of the command line
            raise
        print(f"{package} {asked.role} cannot start: {error}", file=sys.stderr)
        sys.exit(CANNOT_START)


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)  # so that every `with` and `finally` on the way out is kept


def _start(package: str, asked: argparse.Namespace, ready: Callable[[str], None]) -> None:
    if asked.role == "customer":
        counter = importlib.import_module("era0_naive.counter")
        print(counter.ask(asked.counter, asked.operation))
        return
    name = getattr(asked, "module", asked.role)
    service = importlib.import_module(f"{package}.{name}")  # and no other role's imports
    service.main(*(getattr(asked, name) for name in asked.parameters), ready)


def _tell_story(package: str) -> None:
    if importlib.util.find_spec("lab"):
        # the lab plays `story.toml`: a process of its own, as eras know no lab
        os.execv(sys.executable, [sys.executable, "-m", "lab", "demo", package])  # noqa: S606
    readme = Path(str(importlib.import_module(package).__file__)).with_name("README.md")
    print(readme.read_text(), end="")


def host_and_port(url: str, scheme: str, least_port: int = 1) -> tuple[str, int]:
    """Splits SCHEME://HOST:PORT; raises ValueError that names the address and what is accepted."""
    found = re.fullmatch(rf"{scheme}://([^\s:/?#@\[\]]+):([0-9]{{1,5}})", url)
    if not found or not _can_be_host(found[1]) or not least_port <= int(found[2]) <= 65535:
        accepted = f"{scheme}://HOST:PORT with a port from {least_port} to 65535"
        raise ValueError(f"address {url!r}; accepted: {accepted}")
    return found[1], int(found[2])


def _can_be_host(name: str) -> bool:
    """A part between dots has 1 to 63 letters (RFC 1035, 2.3.4): else no socket takes the name."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True
