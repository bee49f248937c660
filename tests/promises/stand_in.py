"""A stand-in for an instance of inventory: answers 500 to everything, and counts.

Only where instances are found by a registry: it registers as any instance would.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from lab.stage import Stage
from tests.promises.tokens import mint, secret_in
from tests.promises.web import Request, exchange, with_token

LEASE_S = 3600.0  # nobody renews it


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class StandIn:
    """Lives while its `with` block does; `asked` counts the requests that reached it."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.asked = 0
        self._turn = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        path = f"/services/inventory/{self.name}"
        token = mint(secret_in(self.stage.secret), "operator", "registry")
        lease = {"url": url, "lease_s": LEASE_S}
        asked = Request(self.stage.registry_url, "PUT", path, with_token(token), lease)
        answer = exchange(asked)
        assert answer.status < 300, f"the registry refused the stand-in: {answer}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _fail(self, handler: BaseHTTPRequestHandler) -> None:
        with self._turn:
            self.asked += 1
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        handler.send_response(500)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fail = self._fail

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                fail(self)

            do_GET = do_DELETE = do_PUT

            def log_message(self, format: str, *args: object) -> None: ...

        return Handler
