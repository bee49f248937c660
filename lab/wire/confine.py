"""Becomes a command that has lost its rights: `python -I -S confine.py JSON COMMAND [ARGUMENT …]`.

    {"keep": [12]}                          no capability but these, now or ever
    {"own_user": true, "hosts": "...", "hide": [FOLDER], "show": [FOLDER], "forget": [VARIABLE]}

own_user: in a user namespace of its own, so that its root is nobody to the network it is in. hosts:
what it finds in /etc/hosts. hide: files and folders that are empty to it, but for the folders of
`show` in them.
Run as a script, so that it starts in milliseconds: standard library only, nothing of this package.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/capability.h
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
CAPABILITY_VERSION_3 = 0x20080522

LIBC = ctypes.CDLL(None, use_errno=True)


def own_user() -> None:
    """Enter a user namespace in which we are who we were, and outside of which we have no right."""
    user, group = os.geteuid(), os.getegid()
    _do("unshare", CLONE_NEWUSER)
    # "setgroups" must be denied before an ordinary user may map groups (user_namespaces(7)).
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def own_files(hosts: str, hide: Sequence[str], show: Sequence[str]) -> None:
    """Another /etc/hosts, and empty folders, for us and whatever we start."""
    _do("unshare", CLONE_NEWNS)
    _mount("none", "/", MS_REC | MS_PRIVATE)
    if hosts:
        with tempfile.NamedTemporaryFile("w", prefix="eras-hosts-") as file:
            os.chmod(file.name, 0o644)
            file.write(hosts)
            file.flush()
            _mount(file.name, "/etc/hosts", MS_BIND)
    shown = [(folder, os.open(folder, os.O_PATH)) for folder in show]
    for path in hide:
        if os.path.isdir(path):
            _mount("none", path, 0, "tmpfs")
        else:
            _mount("/dev/null", path, MS_BIND)
    for folder, place in shown:
        os.makedirs(folder)
        _mount(f"/proc/self/fd/{place}", folder, MS_BIND)
        os.close(place)


def drop_rights(keep: Collection[int]) -> None:
    """Keep these capabilities and no other; no program that is started gives one back."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for each in set(range(last + 1)) - set(keep):
        _do("prctl", PR_CAPBSET_DROP, each, 0, 0, 0)
    _do("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    kept = sum(1 << each for each in keep)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = struct.pack("=6I", low, low, 0, high, high, 0)  # effective, permitted, inheritable
    _do("capset", struct.pack("=Ii", CAPABILITY_VERSION_3, 0), sets)
    _do("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _mount(source: str, target: str, flags: int, kind: str = "none") -> None:
    _do("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)


def _do(name: str, *arguments: Any) -> None:
    if getattr(LIBC, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def confine(wish: Mapping[str, Any]) -> None:
    """Do to this process, which has one thread, what was wished. Raises OSError."""
    if wish.get("own_user"):
        own_user()
        own_files(wish.get("hosts", ""), wish.get("hide", ()), wish.get("show", ()))
    for name in wish.get("forget", ()):
        os.environ.pop(name, None)
    drop_rights(wish.get("keep", ()))


def main() -> None:
    """Lose the rights and become the command; complain on stderr and exit with 2 if not."""
    wish, command = json.loads(sys.argv[1]), sys.argv[2:]
    try:
        confine(wish)
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose
    except OSError as problem:
        print(f"cannot confine {command[0]}: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
