"""Hosts for real, without root: each is a network namespace whose interface ends in our wire.

Any command runs inside a host, and what it sends (raw packets, or the kernel's own TCP) crosses
the wire. Linux only, and not everywhere: `available()` says why not and how to mend it.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from lab.wire.join import is_other_namespace

HERE = Path(__file__).parent
ORDERS_ADDRESS, INVENTORY_ADDRESS = "10.7.0.1", "10.7.0.2"
START_TIMEOUT_S = 10.0
QUEUE_FRAMES = 20_000  # no hidden loss: the host's own queue must not drop before the wire does


class HostError(RuntimeError):
    """A host cannot be made, or is gone; the message says why and what may help."""


class Host:
    """A process in its own network namespace, with one interface that ends in `tun_fd`."""

    def __init__(
        self,
        address: str,
        *,
        mtu_bytes: int = 1500,
        queue_frames: int = QUEUE_FRAMES,
        sysctls: Mapping[str, str] | None = None,
    ) -> None:
        """Start it. `sysctls` by dotted name, e.g. net.ipv4.tcp_rmem. Raises HostError.

        Of congestion controls a host takes as sysctl only those in the machine's
        tcp_allowed_congestion_control; a socket inside may choose any with TCP_CONGESTION.
        """
        self.address = address
        wish = {
            "address": address,
            "mtu_bytes": mtu_bytes,
            "queue_frames": queue_frames,
            "sysctls": dict(sysctls or {}),
            "die_with_parent": is_main_thread(),
        }
        self._lifeline, its_end = socket.socketpair()
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(HERE / "hold.py"), json.dumps(wish)],
                stdin=its_end.fileno(),
                start_new_session=True,  # Ctrl-C is for us; we end the host when we are done
            )
        self.pid = self._process.pid
        self.tun_fd = -1
        self.tun_fd = self._receive_tun()

    def argv_prefix(self, *, die_with_parent: bool | None = None) -> list[str]:
        """What to put before a command so that it runs inside this host, with the pid it is given.

        With `die_with_parent` the kernel kills it when the thread that started it ends; the
        default is to do so when that is the main thread.
        """
        dies = is_main_thread() if die_with_parent is None else die_with_parent
        nsenter, setpriv = shutil.which("nsenter"), shutil.which("setpriv")
        if not nsenter or not setpriv:
            flag = ["--die-with-parent"] if dies else []
            return [sys.executable, "-I", "-S", str(HERE / "join.py"), str(self.pid), *flag]
        user = ["--user", "--preserve-credentials"] if self._has_user_namespace() else []
        last = [setpriv, "--pdeathsig", "KILL", "--"] if dies else []
        return [nsenter, "--target", str(self.pid), *user, "--net", "--", *last]

    def frames_dropped(self) -> int:
        """Frames the host itself threw away because its transmit queue was full.

        Raises HostError if the host is gone.
        """
        try:
            lines = Path(f"/proc/{self.pid}/net/dev").read_text().splitlines()
        except OSError as gone:
            raise HostError(f"the host {self.address} is gone: its process has ended") from gone
        (interface,) = (line for line in lines if "wire0:" in line)
        return int(interface.split(":")[1].split()[11])

    def give_away_tun(self) -> None:
        """Close our copy of the descriptor: another process, the wire's, has inherited it."""
        if self.tun_fd >= 0:
            os.close(self.tun_fd)
            self.tun_fd = -1

    def close(self) -> None:
        """End the host; commands that still run inside it lose the wire. May be called twice."""
        self.give_away_tun()
        self._lifeline.close()
        self._process.kill()
        self._process.wait()

    def _has_user_namespace(self) -> bool:
        return is_other_namespace(self.pid, "user")

    def _receive_tun(self) -> int:
        self._lifeline.settimeout(START_TIMEOUT_S)
        try:
            message, fds, _, _ = socket.recv_fds(self._lifeline, 4096, 1)
        except TimeoutError:
            message, fds = b"", []
        if fds:
            return fds[0]
        self.close()
        raise HostError(explain(json.loads(message or b"{}")))

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host {self.address} pid {self.pid}>"


def is_main_thread() -> bool:
    """PR_SET_PDEATHSIG watches the thread that forked: only the main one lives as long as we do."""
    return threading.current_thread() is threading.main_thread()


@functools.cache
def available() -> str | None:
    """None if this machine can make hosts, else the reason in a sentence and how to mend it."""
    if sys.platform != "linux":
        return f"real interfaces need Linux, this is {sys.platform}; use the portable form."
    try:
        Host("10.7.0.250").close()
    except HostError as refusal:
        return str(refusal)
    return None


def explain(problem: Mapping[str, object]) -> str:
    """Turn what the host's process reported into a sentence with a remedy."""
    why, step = problem.get("why"), problem.get("step")
    if not why:
        return "the host's process ended or hung without a word; use the portable form."
    if step == "/dev/net/tun":
        return (
            f"/dev/net/tun cannot be opened ({why}): load the module (`sudo modprobe tun`), or in"
            " a container start it with `--device /dev/net/tun`."
        )
    if step == "unshare":
        return f"network namespaces are forbidden here ({why}): {_who_forbids(problem)}"
    return f"the host could not be set up ({why}, {step or 'interface'}); use the portable form."


def _who_forbids(problem: Mapping[str, object]) -> str:
    # 1. Debian's old switch.  2. Ubuntu's AppArmor rule, from 23.10 on.  3. A limit of none.
    if _read_int("/proc/sys/kernel/unprivileged_userns_clone") == 0:
        return "`sudo sysctl kernel.unprivileged_userns_clone=1` allows them."
    if _read_int("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them."
    if problem.get("errno") == errno.ENOSPC or _read_int("/proc/sys/user/max_user_namespaces") == 0:
        return "`sudo sysctl user.max_user_namespaces=10000` allows them."
    return "in a container start it with `--privileged` or allow unshare in its seccomp profile."


def _read_int(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None
