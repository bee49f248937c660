"""What execve does, for a role that the zygote forked and that starts the same Python again.

A supervisor forks, and the child executes `python -m PACKAGE`: a tenth of a second of processor
time for a proxy, three of them a stage. Here the child becomes that program as it is. What a new
program would not have, it loses: descriptors that close on exec, handlers of signals, modules that
were imported after the fork, and what was done to the eras' own that were imported before it.
`lab.zygote` reads this by its path: a role finds no lab imported.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import os
import runpy
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

End = Callable[[BaseException | None], NoReturn]
_kept: list[ModuleType] = []  # or its objects would close descriptors that are others' by then


def python_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python reads of its environment as it starts."""
    return {name: environment[name] for name in environment if name.startswith("PYTHON")}


def make_warm(end: End, own: Any, known: Collection[str]) -> None:
    """From now on os.execve does it warm, if a start would be the same; `end` ends the process,
    `own` are the OwnModules, `known` the modules that were imported before the fork.
    """
    executes, path = os.execve, list(sys.path)

    def execve(program: Any, argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        is_same = python_settings(environment) == python_settings(os.environ)
        if not is_same or list(argv[:2]) != [sys.executable, "-m"]:
            executes(program, list(argv), environment)
        try:
            forget(known)
            sys.path[:] = path
            own.restore()
            become(argv, environment, own)
        except BaseException as ended:
            end(ended)
        end(None)

    setattr(os, "execve", execve)  # noqa: B010


def forget(known: Collection[str]) -> None:
    """All but these modules, and what exec takes away."""
    gc.freeze()
    for name in set(sys.modules).difference(known):
        _kept.append(sys.modules.pop(name))
    getattr(atexit, "_clear")()  # noqa: B009
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in map(int, os.listdir("/proc/self/fd")):
        close_as_exec_does(each)


def close_as_exec_does(descriptor: int) -> None:
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
            os.close(descriptor)
    except OSError:
        return  # the folder's own, which is closed already


def become(argv: Sequence[str], environment: Mapping[str, str], own: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    importlib.invalidate_caches()
    own.keep_if_current()
    sys.argv = list(argv[2:])
    runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
