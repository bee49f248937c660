"""The door of a shop in another network namespace: `python -I -S door.py SOCKET http://HOST:PORT`.

Runs beside orders, inside its namespace. A Unix socket is a file, so customers reach it from
outside; each connection is passed on, byte by byte, and no fault of the wire touches it.
Standard library only and as a script, so that it starts in milliseconds.
"""

import contextlib
import socket
import sys
import threading

BACKLOG = 128
PIECE_BYTES = 65_536


def welcome(customer: socket.socket, shop_address: tuple[str, int]) -> None:
    """Carry both directions of one connection until both have ended."""
    with customer, contextlib.suppress(OSError), socket.create_connection(shop_address) as shop:
        shop.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # pieces pass as they come
        back = threading.Thread(target=carry, args=(shop, customer), daemon=True)
        back.start()
        carry(customer, shop)
        back.join()


def carry(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, and then that it has ended, also when one side broke off."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main() -> None:
    path, url = sys.argv[1:]
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(BACKLOG)
        print(f"door ready at unix:{path}", flush=True)
        while True:
            customer, _ = listener.accept()
            threading.Thread(
                target=welcome, args=(customer, (host, int(port))), daemon=True
            ).start()


if __name__ == "__main__":
    main()
