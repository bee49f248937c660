"""What a program does that would like to pass its sidecar by; run by name, as a service would be.

`python strays.py NAME [ARGUMENT ...]` prints what came of it: the answer, or the error's name.
`python strays.py DEEDS` of many, a JSON list of such lists, prints a JSON list.
"""

import ctypes
import errno
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

PATIENCE_S = 5.0
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h


def ask(url: str, host: str = "") -> str:
    """An HTTP request, straight to the address; `host` is what it says instead of that."""
    place = url.removeprefix("http://")
    connection = http.client.HTTPConnection(place.partition("/")[0], timeout=PATIENCE_S)
    try:
        connection.request(
            "GET", "/" + place.partition("/")[2], headers={"Host": host} if host else {}
        )
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()}"
    finally:
        connection.close()


def speak(host: str, port: str, hex_bytes: str) -> str:
    """Bytes over TCP; all that comes back until the other end closes."""
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(bytes.fromhex(hex_bytes))
        heard = b"".join(iter(lambda: connection.recv(4096), b""))
    return f"closed after {heard.decode()!r}"


def datagram(host: str, port: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((host, int(port)))
        sender.send(b"psst")
    return "sent"


def raw() -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
    return "opened"


def packet() -> str:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    return "opened"


def mark(number: str) -> str:
    with socket.socket() as marked:
        marked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(number))
    return "marked"


def run(*command: str) -> str:
    """Another program; "done", or the last line of its complaint."""
    told = subprocess.run(command, capture_output=True, text=True)
    return "done" if not told.returncode else told.stderr.strip().splitlines()[0]


def enter(pid: str) -> str:
    """The network namespace of somebody else."""
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    return "entered"


def renew() -> str:
    """A network namespace of its own: the names of what is in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    return " ".join(name for _, name in socket.if_nameindex())


def peek(pid: str) -> str:
    """The memory of somebody else."""
    with open(f"/proc/{pid}/mem", "rb"):
        return "opened"


def see(path: str) -> str:
    """A file, or what is in a folder."""
    place = Path(path)
    return " ".join(sorted(os.listdir(place))) if place.is_dir() else place.read_text()


def marked_ask(number: str, host: str, port: str, *files: str) -> str:
    """What only a sidecar may: past the rules. With TLS if files are given: authority, and then a
    certificate and its key.
    """
    with socket.socket() as connection:
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(number))
        connection.connect((host, int(port)))
        speaks = _with_tls(connection, files) if files else connection
        speaks.sendall(b"GET /catalogue HTTP/1.1\r\nHost: inventory\r\nConnection: close\r\n\r\n")
        return f"heard {speaks.recv(4096)[:40]!r}"


def _with_tls(connection: socket.socket, files: tuple[str, ...]) -> socket.socket:
    context = ssl.create_default_context(cafile=files[0])
    if files[1:]:
        context.load_cert_chain(*files[1:])
    return context.wrap_socket(connection, server_hostname="inventory")


DEEDS = {
    each.__name__: each
    for each in (ask, speak, datagram, raw, packet, mark, run, enter, renew, peek, see, marked_ask)
}


def come_of(name: str, *arguments: str) -> str:
    try:
        return DEEDS[name](*arguments)
    except OSError as error:
        return f"{errno.errorcode.get(error.errno or 0, '')} {type(error).__name__}"


if __name__ == "__main__":
    if sys.argv[1].startswith("["):
        print(json.dumps([come_of(*deed) for deed in json.loads(sys.argv[1])]))
    else:
        print(come_of(*sys.argv[1:]))
