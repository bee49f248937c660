"""Inventories and registries that misbehave: each connection is answered by a script of bytes."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[socket.socket], None]  # called once a request has arrived whole


def response(body: object, status: int = 200, more: str = "") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(text)}\r\n{more}\r\n"
    return head.encode() + text


def says(*answers: bytes) -> Script:
    """Each request on a connection gets the next answer; after the last one it is closed."""

    def script(connection: socket.socket) -> None:
        for answer in answers[:-1]:
            connection.sendall(answer)
            read_request(connection)
        connection.sendall(answers[-1])

    return script


@contextmanager
def server(script: Script) -> Iterator[tuple[str, list[bytes]]]:
    """Its URL, and the requests it has heard so far (the first of each connection)."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def attend(connection: socket.socket) -> None:
            with connection:
                heard.append(read_request(connection))
                with suppress(OSError):  # the client may have had enough
                    script(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=attend, args=[connection], daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65_536)
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def refusing_url() -> str:
    """An address where certainly nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
