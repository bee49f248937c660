"""Forks roles from a process that has imported what they will: `python -P zygote.py MODULE ...`.

The name is Android's, for the process that every app is forked from. Standard input is a socket;
each message on it asks for one role and brings descriptors: a line on which we tell the role's pid
and then its exit code, what its stdin, stdout and stderr become, and what else it inherits under
which number. A role that has ended stays a zombie, and so its number stays its own, until the other
end of its line is closed; who is still running then is killed. When the socket closes we end, and
whoever is left with us.

The modules are the eras' own, see own_modules.py. One thread, as only this forks well. For Linux
(pidfd). Who asks is `lab.warm`. The file is long so that both sides of the fork stand together.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    "cryptography.hazmat.backends.openssl",
    "flask",
    "jwt",
    "prometheus_client",
    "requests",
    "rich.console",
    "rich.progress",
    "urllib3",
    "uvloop",
    "waitress.server",
    "werkzeug",
)
STANDARD = (
    "argparse",
    "asyncio",
    "contextlib",
    "difflib",
    "http.server",
    "ipaddress",
    "secrets",
    "sqlite3",
    "tomllib",
    "unicodedata",
    "urllib.parse",
)
MESSAGE_BYTES = 1 << 20
MOST_DESCRIPTORS = 16
OUT_OF_THE_WAY = 500  # a number above all that anybody is given
PR_SET_DUMPABLE = 4  # linux/prctl.h
# read by their paths, before the first fork: a role finds no lab imported
JOIN, CONFINE, EXEC, OWN = (
    runpy.run_path(str(Path(__file__).parent / name))
    for name in ("wire/join.py", "wire/confine.py", "exec_warm.py", "own_modules.py")
)


@dataclass
class Forked:
    """A role under way; `end` is a descriptor that becomes readable, None once it was told."""

    pid: int
    line: socket.socket
    end: int | None


class Zygote:
    """Serves until the socket closes, or until it finds itself in a role."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._forked: list[Forked] = []

    def serve(self) -> dict[str, Any] | None:
        """Returns in each role what was asked of it; None where all is over."""
        while True:
            ends = [each.end for each in self._forked if each.end is not None]
            lines = [each.line for each in self._forked]
            watched: list[Any] = [self._control, *lines, *ends]
            ready, _, _ = select.select(watched, [], [])
            for each in list(self._forked):
                if each.end in ready:
                    self._tell_end(each)
                if each.line in ready:
                    self._let_go(each)
            if self._control not in ready:
                continue
            message, brought, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, MOST_DESCRIPTORS)
            if not message:
                self._end()
                return None
            asked: dict[str, Any] = json.loads(message)
            if self._fork(brought[0], brought[1:], asked.pop("numbers")):
                return asked

    def _fork(self, line_descriptor: int, brought: list[int], numbers: list[int]) -> bool:
        """Whether this is the role; in it what was brought has these numbers."""
        line = socket.socket(fileno=line_descriptor)
        pid = os.fork()
        if pid:
            for descriptor in brought:
                os.close(descriptor)
            self._forked.append(Forked(pid, line, os.pidfd_open(pid)))
            return False
        os.setsid()  # before its number is told: who knows it may signal its group
        with line, contextlib.suppress(BrokenPipeError):
            line.send(str(os.getpid()).encode())
        self._forget_others()
        renumber(brought, numbers)
        return True

    def _forget_others(self) -> None:
        """In a role: an open line would hide from its other end that the zygote has died."""
        self._control.detach()  # standard input, which becomes something else
        for each in self._forked:
            each.line.close()
            if each.end is not None:
                os.close(each.end)

    def _tell_end(self, role: Forked) -> None:
        assert role.end is not None  # noqa: S101  (it was readable)
        os.close(role.end)
        role.end = None
        ended = os.waitid(os.P_PID, role.pid, os.WEXITED | os.WNOWAIT)
        assert ended  # noqa: S101  (only WNOHANG gives None)
        has_exited = ended.si_code == os.CLD_EXITED
        with contextlib.suppress(BrokenPipeError):
            role.line.send(str(ended.si_status if has_exited else -ended.si_status).encode())

    def _let_go(self, role: Forked) -> None:
        """The other end of its line is closed: nobody waits for it any more."""
        if role.end is not None:
            os.killpg(role.pid, signal.SIGKILL)
            os.close(role.end)
        os.waitpid(role.pid, 0)
        role.line.close()
        self._forked.remove(role)

    def _end(self) -> None:
        for role in list(self._forked):
            self._let_go(role)


def renumber(descriptors: list[int], numbers: list[int]) -> None:
    """Give each its number, whatever has it now."""
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, OUT_OF_THE_WAY) for each in descriptors]
    for each in descriptors:
        os.close(each)
    for each, number in zip(moved, numbers, strict=True):
        os.dup2(each, number)
        os.close(each)


def move_into(host_pid: int) -> None:
    """Into the namespaces of this host."""
    JOIN["enter"](host_pid)
    be_no_secret()


def confine(wish: Mapping[str, Any]) -> None:
    """Give up what lab/wire/confine.py would have this process give up."""
    CONFINE["confine"](wish)
    be_no_secret()


def be_no_secret() -> None:
    """A change of credentials makes a process one, whose files in /proc are root's; a new program
    would be none again.
    """
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def become(
    own: Any,
    known: Collection[str],
    package: str,
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    host_pid: int,
    wish: Mapping[str, Any] | None,
) -> None:
    """What `python -m PACKAGE ARGUMENTS` does in this folder, with this environment; in the host
    with this pid, if it is not 0, and confined, if that is wished. own: the OwnModules that may
    spare it their import. known: all modules that were imported before the fork.
    """
    if host_pid:
        move_into(host_pid)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if wish is not None:
        confine(wish)
    places = environment.get("PYTHONPATH", "").split(os.pathsep)
    first = [] if environment.get("PYTHONSAFEPATH") else [folder]
    sys.path[:0] = [*first, *(os.path.abspath(place) for place in places if place)]
    importlib.invalidate_caches()
    own.keep_if_current()
    EXEC["make_warm"](end, own, known)
    sys.argv = [package, *arguments]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


def end(ended: BaseException | None) -> NoReturn:
    """As Python ends, but for the taking apart of all that was imported, which takes longest."""
    code: object = ended.code if isinstance(ended, SystemExit) else int(ended is not None)
    if ended and not isinstance(ended, SystemExit):
        sys.excepthook(type(ended), ended, ended.__traceback__)
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
    getattr(threading, "_shutdown")()  # noqa: B009  (waits for all threads that are no daemons)
    getattr(atexit, "_run_exitfuncs")()  # noqa: B009
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))


def main() -> None:
    for name in LIBRARIES + STANDARD:
        importlib.import_module(name)
    own = OWN["OwnModules"](Path(__file__).parents[1], sys.argv[1:])
    known = frozenset(sys.modules)  # made here: in a role it would copy the page of every name
    gc.freeze()  # or every role's collector would look through all of it, and copy its pages
    asked = Zygote(socket.socket(fileno=0)).serve()
    if not asked:
        return
    try:
        become(own, known, **asked)
    except BaseException as ended:
        end(ended)
    end(None)


if __name__ == "__main__":
    main()
