"""A stand-in for an instance of inventory: answers 500 to everything, and counts.

Only where instances are found by a registry, or a control plane: it says that it is there as any
instance would.
"""

import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.stage import Stage
from tests.promises import mesh
from tests.promises.credentials import Credential, credential_of
from tests.promises.tokens import mint, secret_in
from tests.promises.web import Request, exchange, with_token

LEASE_S = 3600.0  # nobody renews it


class Server(ThreadingHTTPServer):
    """Shows this certificate to whoever comes, if there is one."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        shown: Credential,
        on_turned_away: Callable[[str], None] = lambda why: None,
    ) -> None:
        """on_turned_away: told why somebody would not speak to us."""
        self._tls = context_of(shown) if shown.certificate else None
        self._on_turned_away = on_turned_away
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Its own thread is in here, so a handshake keeps nobody waiting."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        try:
            guarded = self._tls.wrap_socket(request, server_side=True)
        except OSError as error:
            self._on_turned_away(str(error))
            return
        with guarded:
            super().finish_request(guarded, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # who leaves in the middle is no news
            super().handle_error(request, client_address)


def context_of(shown: Credential) -> ssl.SSLContext:
    """For a server who shows this certificate, and asks for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, Path(shown.certificate).with_suffix(".key"))
    return context


class StandIn:
    """Lives while its `with` block does; `asked` counts the requests that reached it."""

    def __init__(self, stage: Stage, name: str, service: str = "inventory") -> None:
        self.stage = stage
        self.name = name
        self._service = service
        self.asked = 0
        self._turn = threading.Lock()
        shown = credential_of(stage, service)
        self._server = Server(("127.0.0.1", 0), self._handler(), shown)
        self._ends = ExitStack()

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        if self.stage.era.has_control_plane:
            own = mesh.joined(self.stage, self._service, self.name)
            self._ends.enter_context(mesh.attended(self.stage, own, url))
        else:
            self._register(url)
        return self

    def _register(self, url: str) -> None:
        path = f"/services/{self._service}/{self.name}"
        token = mint(secret_in(self.stage.secret), "operator", "registry")
        lease = {"url": url, "lease_s": LEASE_S}
        asked = Request(self.stage.registry_url, "PUT", path, with_token(token), lease)
        answer = exchange(asked)
        assert answer.status < 300, f"the registry refused the stand-in: {answer}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()
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
