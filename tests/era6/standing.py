"""Real Envoys, told compiled snapshots as static files, between services that say what they see.

No control plane and no agent: what is asked here is what the resources mean. Certificates are
era 5's files, in the place of secrets.
"""

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from era5_sidecar import certificates
from era6_control_plane.compile import Node, compile
from era6_control_plane.intent import Intent
from era6_control_plane.membership import Endpoint
from tests.era6.validate import envoy, static

PATIENCE_S = 20.0
LOOK_S = 0.02
QUIET = ["--log-level", "error", "--disable-hot-restart", "--concurrency", "1"]


class Service(BaseHTTPRequestHandler):
    """Says who it is and what it was sent; `?status=503`: that status; `?dies=NAME`: if that is its
    name, it hangs up."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet
    server: Any

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.asked += 1
        asked = parse_qs(urlsplit(self.path).query)
        if self.server.name in asked.get("dies", ()):
            self.close_connection = True
            return
        seen = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"name": self.server.name, "seen": seen}).encode()
        self.send_response(int(asked.get("status", ["200"])[0]))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Certain", "true")  # a service's word, which nobody is to believe
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, format: str, *told: object) -> None:
        """Nothing."""


class Answer:
    """What came back: status, fields in small letters, JSON."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        text = response.read()
        self.told = json.loads(text) if text else {}

    @property
    def certain(self) -> str:
        return self.fields.get("x-certain", "")


class Standing:
    """The services and their Envoys, by instance."""

    def __init__(self) -> None:
        self.services: dict[str, Any] = {}
        self.envoys: dict[str, subprocess.Popen[bytes]] = {}
        self.nodes: dict[str, Node] = {}

    def call(self, method: str, path: str, host: str = "inventory", **fields: str) -> Answer:
        """As the service `orders` calls another."""
        return self.ask(self.nodes["orders-1"].outbound, method, path, host, **fields)

    def ask(self, url: str, method: str, path: str, host: str = "shop", **fields: str) -> Answer:
        """As a stranger asks whoever listens there."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            connection.request(method, path, headers={"Host": host, **named})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def asked(self) -> int:
        """How many requests all services have had."""
        return sum(each.asked for each in self.services.values())


@contextmanager
def standing(intent: Intent, nodes: list[Node], folder: Path) -> Iterator[Standing]:
    """Everything runs until the end. nodes: their addresses are chosen here."""
    stood = Standing()
    certificates.main(folder, sorted(intent.services))
    with ExitStack() as stack:
        with ExitStack() as held:
            for node in nodes:
                app = _service(node.id, stack)
                stood.services[node.id] = app
                named = replace(
                    node,
                    inbound=_free(held),
                    outbound=_free(held),
                    app=f"http://127.0.0.1:{app.server_port}",
                )
                stood.nodes[node.id] = named
            admins = {node.id: _free(held) for node in nodes}
        told = stood.nodes.values()
        there = [Endpoint(each.service, each.id, each.version, each.inbound) for each in told]
        for node in told:
            path = folder / f"{node.id}.json"
            admin = int(admins[node.id].rpartition(":")[2])
            text = static(compile(intent, there, node), admin=admin)
            path.write_text(json.dumps(_with_files(json.loads(text), folder / node.service)))
            stood.envoys[node.id] = _envoy(path, stack)
        for node in told:
            _wait_ready(admins[node.id], stood.envoys[node.id])
        yield stood


def _free(held: ExitStack) -> str:
    """Somebody else might take it before Envoy does; then that says so and ends."""
    listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _service(name: str, stack: ExitStack) -> Any:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.name, server.asked, server.daemon_threads = name, 0, True
    threading.Thread(target=server.serve_forever, args=(LOOK_S,), daemon=True).start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return server


def _envoy(path: Path, stack: ExitStack) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([envoy(), "-c", str(path), *QUIET])
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _wait_ready(admin: str, process: "subprocess.Popen[bytes]") -> None:
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        assert process.poll() is None, "an Envoy ended as it started"
        connection = http.client.HTTPConnection(urlsplit(admin).netloc, timeout=1)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(LOOK_S)
        finally:
            connection.close()
    raise AssertionError("an Envoy is not ready")


def _with_files(told: Any, own: Path) -> Any:
    """The same, with certificates from files: `own` is their path without its ending."""
    if isinstance(told, list):
        return [_with_files(each, own) for each in told]
    if not isinstance(told, dict):
        return told
    told = {name: _with_files(each, own) for name, each in told.items()}
    if told.pop("tls_certificate_sds_secret_configs", None):
        chain, key = {"filename": f"{own}.pem"}, {"filename": f"{own}.key"}
        told["tls_certificates"] = [{"certificate_chain": chain, "private_key": key}]
        known = told.pop("combined_validation_context")["default_validation_context"]
        authority = {"filename": str(own.parent / "authority.pem")}
        told["validation_context"] = known | {"trusted_ca": authority}
    return told
