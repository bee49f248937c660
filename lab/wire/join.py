"""Start a command inside a host: `python -m lab.wire.join HOST_PID [--die-with-parent] COMMAND …`.

It enters the host's namespaces and becomes the command, so the command has this process's pid and
a signal hits the command itself. `Host.argv_prefix` prefers `nsenter` and `setpriv`, which do the
same a few milliseconds faster; this one needs nothing but Python.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
PR_SET_PDEATHSIG, SIGKILL = 1, 9


def enter(host_pid: int) -> None:
    """Move this process into the namespaces of the host. Raises OSError."""
    if is_other_namespace(host_pid, "user"):
        _enter(host_pid, "user", CLONE_NEWUSER)  # first: it gives the right to the next one
    _enter(host_pid, "net", CLONE_NEWNET)


def is_other_namespace(host_pid: int, kind: str) -> bool:
    """Whether the host has a namespace of this kind that is not ours."""
    return os.readlink(f"/proc/{host_pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def _enter(host_pid: int, kind: str, flag: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns only came with Python 3.12
    namespace = os.open(f"/proc/{host_pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(namespace, flag):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"{kind} namespace")
    finally:
        os.close(namespace)


def main() -> None:
    """Join and become the command; complain on stderr and exit with 2 if that is impossible."""
    arguments = sys.argv[1:]
    dies_with_parent = "--die-with-parent" in arguments[1:2]
    command = arguments[1 + dies_with_parent :]
    if not command or not arguments[0].isdigit():
        sys.exit(
            "usage: python -m lab.wire.join HOST_PID [--die-with-parent] COMMAND [ARGUMENT ...]"
        )
    try:
        enter(int(arguments[0]))
        if dies_with_parent:  # after the change of credentials, which would undo it (prctl(2))
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose
    except OSError as problem:
        print(f"cannot start {command[0]} in host {arguments[0]}: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
