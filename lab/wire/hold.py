"""The process that is a host: it owns a network namespace with one interface, and waits.

Run as a script (`python -I -S hold.py JSON`), so that it starts in milliseconds: standard library
only, nothing of this package. `lab.wire.namespaces.Host` is its handle.

    unshare ─▶ TUN interface ─▶ sysctls ─▶ its descriptor goes to our parent ─▶ wait for its end

Standard input is a Unix socket to the parent: the report goes out over it, its end ends the host.

What is read from the TUN descriptor is what the host sent, what is written to it the host receives.
TUN and not TAP: packets without Ethernet, so no ARP noise takes part in the wire's fates.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
from typing import Any

# linux/sched.h, linux/if_tun.h, linux/sockios.h, linux/if.h, linux/rtnetlink.h, linux/prctl.h
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
SIOCSIFNETMASK, SIOCSIFMTU = 0x891C, 0x8922
IFF_UP = 0x1
RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK, IFLA_TXQLEN = 16, 0x1, 0x4, 13
PR_SET_PDEATHSIG, SIGKILL = 1, 9

INTERFACE = "wire0"
NETMASK = "255.255.255.0"


def own_namespace() -> None:
    """Enter a network namespace of our own, through a user namespace unless we may without.

    Real root does without: with only its own user mapped it would lose access to others' files.
    """
    try:
        _unshare(CLONE_NEWNET)
        return
    except PermissionError:
        pass
    user, group = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWNET)
    # "setgroups" must be denied before an ordinary user may map groups (user_namespaces(7)).
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        _write(f"/proc/self/{name}", text)


def open_interface(address: str, mtu_bytes: int, queue_frames: int) -> int:
    """Create the TUN interface, give it an address, bring it and loopback up; return its fd."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), IFF_TUN | IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inet:
        name = INTERFACE.encode()
        fcntl.ioctl(inet, SIOCSIFMTU, struct.pack("16si20x", name, mtu_bytes))
        _set_queue(queue_frames)
        fcntl.ioctl(inet, SIOCSIFADDR, _address_request(address))
        fcntl.ioctl(inet, SIOCSIFNETMASK, _address_request(NETMASK))
        for interface in (name, b"lo"):
            reply = fcntl.ioctl(inet, SIOCGIFFLAGS, struct.pack("16sH14x", interface, 0))
            (flags,) = struct.unpack_from("H", reply, 16)
            fcntl.ioctl(inet, SIOCSIFFLAGS, struct.pack("16sH14x", interface, flags | IFF_UP))
    return tun


def die_with_parent() -> None:
    """Have the kernel kill us when the thread that started us is gone (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def _set_queue(frames: int) -> None:
    """Set the interface's transmit queue by netlink.

    The ioctl SIOCSIFTXQLEN asks for a right in the machine's first user namespace; netlink asks
    for it in ours.
    """
    link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(INTERFACE), 0, 0)
    body = link + struct.pack("=HHI", 8, IFLA_TXQLEN, frames)
    header = struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(header + body)
        (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error), "transmit queue")


def _address_request(address: str) -> bytes:
    packed = socket.inet_aton(address)
    return struct.pack("16sHH4s8x", INTERFACE.encode(), socket.AF_INET, 0, packed)


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare only came with Python 3.12
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def set_sysctl(key: str, value: str) -> None:
    """Set a kernel parameter of this namespace, by its dotted name."""
    try:
        _write("/proc/sys/" + key.replace(".", "/"), value)
    except OSError as refusal:
        raise OSError(refusal.errno, f"{refusal.strerror}: sysctl {key} = {value}") from refusal


def silence_ipv6() -> None:
    """Neighbour and router discovery would talk on the wire unasked and use up frame numbers."""
    if os.path.exists("/proc/sys/net/ipv6"):
        set_sysctl("net.ipv6.conf.default.disable_ipv6", "1")


def become_host(wish: dict[str, Any]) -> int:
    """Do all that `wish` says; return the TUN descriptor. Raises OSError."""
    own_namespace()
    silence_ipv6()
    tun = open_interface(wish["address"], wish["mtu_bytes"], wish["queue_frames"])
    for key, value in wish["sysctls"].items():
        set_sysctl(key, value)
    return tun


def main() -> None:
    """Become a host, report to the parent, and stay until its end of stdin closes."""
    wish = json.loads(sys.argv[1])
    with socket.socket(fileno=os.dup(0)) as parent:
        try:
            tun = become_host(wish)
        except OSError as problem:
            report = {"errno": problem.errno, "step": problem.filename, "why": problem.strerror}
            parent.send(json.dumps(report).encode())
            sys.exit(1)
        if wish["die_with_parent"]:
            die_with_parent()  # only now: a change of credentials would undo it (prctl(2))
        socket.send_fds(parent, [b"{}"], [tun])
        os.close(tun)  # a copy here would keep the interface up when the wire is gone
        parent.recv(1)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # our parent gave up on us
        main()
