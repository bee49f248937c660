"""An inventory that fails at everything, and counts how often it was asked.

    python -m lab.measure.standins.failing inventory --listen http://127.0.0.1:0 ...

It is started like an era's inventory and says ready like one. `GET /count` tells the count;
`PUT /failing/STATUS` changes with what it fails.
"""

from __future__ import annotations

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

KIND = "unavailable"


class Counting(ThreadingHTTPServer):
    """The server, what it counts, and the status of its answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], status: int) -> None:
        super().__init__(address, Failing)
        self.status = status
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        return self._count

    def add(self) -> None:
        with self._lock:
            self._count += 1


class Failing(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True
    server: Counting

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.add()
        problem = {"type": f"urn:seven-eras:{KIND}", "title": KIND, "outcome": KIND}
        busy = {"status": self.server.status, "detail": "a stand-in", "certain": True}
        self._answer(self.server.status, "application/problem+json", problem | busy)

    do_DELETE = do_PUT

    def do_GET(self) -> None:
        self._answer(200, "application/json", {"count": self.server.count})

    def log_message(self, *_: object) -> None:
        """Say nothing: a line for each request costs more than the request."""

    def _answer(self, status: int, kind: str, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.measure.standins.failing")
    parser.add_argument("role")
    parser.add_argument("--listen", required=True, metavar="URL")
    parser.add_argument("--status", type=int, default=500)
    options, _ = parser.parse_known_args()  # an inventory is told more than this one needs
    where = urlsplit(options.listen)
    with Counting((where.hostname or "127.0.0.1", where.port or 0), options.status) as server:
        print(f"{options.role} ready at http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
