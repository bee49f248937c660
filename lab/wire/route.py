"""Inside a host: everything that has no other way out leaves by the wire; then become a command.

`python -I -S route.py COMMAND [ARGUMENT ...]`. Without a route the kernel refuses a connection
before anything could redirect it. Standard library only, as it runs as a script.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

# linux/rtnetlink.h
RTM_NEWROUTE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 24, 0x1, 0x4, 0x100, 0x400
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST, RTA_OIF = 254, 4, 253, 1, 4
INTERFACE = "wire0"


def add_default_route() -> None:
    """Through the wire's interface; again is no error. Raises OSError."""
    scope = (RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST)
    route = struct.pack("=8BI", socket.AF_INET, 0, 0, 0, *scope, 0)
    body = route + struct.pack("=HHI", 8, RTA_OIF, socket.if_nametoindex(INTERFACE))
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
    header = struct.pack("=IHHII", 16 + len(body), RTM_NEWROUTE, flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(header + body)
        (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error), "default route")


def main() -> None:
    """Exit with 2, and a complaint on stderr, if it cannot be."""
    try:
        add_default_route()
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the command is the purpose
    except OSError as problem:
        print(f"no way out: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
