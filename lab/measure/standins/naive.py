"""A layer that forwards each request, and tries four times at once: the retry everybody writes.

python -m lab.measure.standins.naive layer --listen http://127.0.0.1:0 --next http://127.0.0.1:...
"""

from __future__ import annotations

import argparse
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

TRIES = 4
TIMEOUT_S = 30.0  # the layers below try, too


class Layer(BaseHTTPRequestHandler):
    """One connection of whoever asks."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    downstream = ""
    own = threading.local()  # a session each thread

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self._try(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _try(self, body: bytes) -> tuple[int, bytes]:
        session = self.own.__dict__.setdefault("session", requests.Session())
        for _ in range(TRIES):
            answer = session.put(self.downstream + self.path, body, timeout=TIMEOUT_S)
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        return answer.status_code, answer.content

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.measure.standins.naive")
    parser.add_argument("role")
    parser.add_argument("--listen", required=True, metavar="URL")
    parser.add_argument("--next", required=True, metavar="URL", help="whom it asks")
    options = parser.parse_args()
    Layer.downstream = options.next
    where = urlsplit(options.listen)
    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer((where.hostname or "127.0.0.1", where.port or 0), Layer) as server:
        print(f"{options.role} ready at http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
