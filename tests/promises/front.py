"""A service of one floor more, in this process: what it is asked, it asks suppliers.

As plain as the services of era 5: it names whom it asks, and knows where http_proxy is.
"""

import http.client
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from urllib.parse import urlsplit

from tests.promises.credentials import NOBODY
from tests.promises.stand_in import Server

PATIENCE_S = 10.0


class Front:
    """Lives while its `with` block does. `url`: where its sidecar finds it."""

    def __init__(self) -> None:
        self._proxy = ""
        self._server = Server(("127.0.0.1", 0), self._handler(), NOBODY)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def ask_through(self, proxy: str) -> None:
        """Its http_proxy from now on."""
        self._proxy = urlsplit(proxy).netloc

    def __enter__(self) -> "Front":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _status_of_supplier(self) -> int:
        line = http.client.HTTPConnection(self._proxy, timeout=PATIENCE_S)
        try:
            line.request("PUT", "http://suppliers/goods")
            return line.getresponse().status
        finally:
            line.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        ask = self._status_of_supplier

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # of its sidecar, which looks after its health
                self.answer(200)

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.answer(ask())

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        return Handler
