"""A proxy as one writes it on an afternoon: it looks for a length and sends on what it got.

`python naive_relay.py PORT UPSTREAM_PORT`. It overlooks chunks, takes the last of two lengths,
trusts Python's `int`, ends lines at any LF, and has one connection to the upstream for everybody.
"""

import re
import socket
import sys
import threading

PATIENCE_S = 0.5


class Messages:
    """What comes on a connection, one message after the other."""

    def __init__(self, source: socket.socket) -> None:
        self.source = source
        self._unread = b""
        source.settimeout(PATIENCE_S)

    def take(self) -> bytes:
        """The next; OSError at the end, ValueError if it has no length that one can read."""
        while not (found := re.search(rb"\r?\n\r?\n", self._unread)):
            self._read()
        lengths = re.findall(rb"(?im)^content-length\s*:([^\r\n]*)", self._unread[: found.end()])
        size = found.end() + (int(lengths[-1]) if lengths else 0)
        while len(self._unread) < size:
            self._read()
        message, self._unread = self._unread[:size], self._unread[size:]
        return message

    def _read(self) -> None:
        more = self.source.recv(65536)
        if not more:
            raise OSError("the end")
        self._unread += more


class Relay:
    """Asks the upstream for one client at a time."""

    def __init__(self, upstream_port: int) -> None:
        self._port = upstream_port
        self._lock = threading.Lock()
        self._upstream = self._connect()

    def _connect(self) -> Messages:
        return Messages(socket.create_connection(("127.0.0.1", self._port)))

    def serve(self, client: Messages) -> None:
        """All requests of one client."""
        with client.source:
            request = b""
            while b"connection: close" not in request.lower():
                try:
                    request = client.take()
                    client.source.sendall(self._ask(request))
                except (OSError, ValueError):
                    return

    def _ask(self, request: bytes) -> bytes:
        with self._lock:
            try:
                self._upstream.source.sendall(request.replace(b"Connection: close\r\n", b""))
                return self._upstream.take()
            except (OSError, ValueError):
                self._upstream = self._connect()
                raise


def main(port: int, upstream_port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    relay = Relay(upstream_port)
    while True:
        client = Messages(listener.accept()[0])
        threading.Thread(target=relay.serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
