"""HTTP with the standard library: one function answers, one asks."""

import http.client
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Answer = Callable[[str, list[str], dict], tuple[int, dict]]  # method, path in parts, body


def serve(listen: str, answer: Answer, ready: Callable[[str], None]) -> None:
    """Answers requests until the process is stopped."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body in one segment

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = [unquote(part) for part in self.path.split("/")[1:]]
            status, message = answer(self.command, path, json.loads(sent or b"{}"))
            body = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_DELETE = do_GET

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # a crowd knocks at once

    place = urlsplit(listen)
    with Server((place.hostname, place.port), Handler) as server:
        ready(f"http://{place.hostname}:{server.server_port}")
        server.serve_forever(0.02)


def ask(url: str, method: str, path: str, message: dict | None = None) -> dict:
    """What the other answers, whatever its status. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2.0)
    try:
        body = None if message is None else json.dumps(message)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
