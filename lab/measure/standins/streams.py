"""The upstream of large bodies: GET /BYTES sends so many, PUT takes what comes; 200 to the rest.

python -m lab.measure.standins.streams
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

PIECE = bytes(1 << 18)
MOST_HEAD = 65536


def serve(connection: socket.socket) -> None:
    """Answer one request after another until the peer ends."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(len(PIECE))
    rest = b""
    with connection, suppress(OSError):
        while True:
            while b"\r\n\r\n" not in rest:
                piece = connection.recv(MOST_HEAD)
                if not piece:
                    return
                rest += piece
            head, _, rest = rest.partition(b"\r\n\r\n")
            rest = _answer(connection, head, rest, buffer)


def _answer(connection: socket.socket, head: bytes, rest: bytes, buffer: bytearray) -> bytes:
    method, target, _ = head.split(b"\r\n")[0].split(b" ")
    left = _length(head) - len(rest)
    while left > 0:
        left -= connection.recv_into(buffer, min(left, len(buffer)))
    rest = rest[len(rest) + left :] if left < 0 else b""
    name = target.rpartition(b"/")[2]
    count = int(name) if method == b"GET" and name.isdigit() else 0
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    while count:
        piece = memoryview(PIECE)[: min(count, len(PIECE))]
        connection.sendall(piece)
        count -= len(piece)
    return rest


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n")[0] or 0)


def main() -> None:
    """Serve until stopped."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print("streams ready at http://{}:{}".format(*listener.getsockname()), flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
