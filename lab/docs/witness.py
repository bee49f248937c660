"""An inventory that does what a reservation's name says, and remembers how often it was asked.

    /reservations/fails-1   500        /reservations/weak-1   500 from inventory-1
    /reservations/busy-1    503        /reservations/slow-1   the same, after a moment
    /reservations/long-1    200, after a moment
    /reservations/hangs-1   nothing, to a PUT
    any other               200, and the fields that were heard

Whoever stands beside it may also ask for /heard, which goes past its sidecar:
`python -m lab.docs.witness inventory --name NAME --listen unix:PATH --store FILE`
"""

from __future__ import annotations

import argparse
import json
import os
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

STATUS = {"fails": 500, "busy": 503}
OF_THE_WEAK = {"weak": 500, "slow": 500}
WEAK = "inventory-1"
MOMENT_S = 0.4  # all who ask at once are there by then
SILENT_S = 60.0  # longer than anybody waits


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread for each connection; who still hangs at the end is left alone."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, Handler)
        self.statuses = STATUS | OF_THE_WEAK if name == WEAK else STATUS
        # `PUT /reservations/o-1` -> how often; with `most` before it, how many at one moment
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._now: Counter[str] = Counter()

    @contextmanager
    def counted(self, asked: str) -> Iterator[None]:
        with self.lock:
            self.asked[asked] += 1
            self._now[asked] += 1
            self.asked[f"most {asked}"] = max(self.asked[f"most {asked}"], self._now[asked])
        try:
            yield
        finally:
            with self.lock:
                self._now[asked] -= 1


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/heard":
            self._say(200, self.server.asked)
            return
        word = self.path.rpartition("/")[2].partition("-")[0]
        with self.server.counted(f"{self.command} {self.path}"):
            if word == "hangs" and self.command == "PUT":
                time.sleep(SILENT_S)
            if word in ("slow", "long"):
                time.sleep(MOMENT_S)
        heard = {name.lower(): value for name, value in self.headers.items()}
        self._say(self.server.statuses.get(word, 200), {"heard": heard})

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def _say(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """It says nothing."""


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m lab.docs.witness")
    parser.add_argument("role")
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", required=True)
    known, _ = parser.parse_known_args()
    path = known.listen.removeprefix("unix:")
    if os.path.exists(path):
        os.unlink(path)
    with Server(path, known.name) as server:
        print(f"{known.role} ready at {known.listen}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
