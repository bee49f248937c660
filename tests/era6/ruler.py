"""A control plane, and an agent, that say what a test tells them: incremental xDS, nothing pure.

And a node under them: our proxy as a process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from envoy.service.discovery.v3.discovery_pb2 import Resource as Sent
from envoy.service.secret.v3.sds_pb2_grpc import (
    SecretDiscoveryServiceServicer,
    add_SecretDiscoveryServiceServicer_to_server,
)
from google.protobuf.json_format import MessageToDict

from era5_sidecar.certificates import Authority, Pair
from era6_control_plane.compile import Node, compile
from era6_control_plane.intent import Intent
from era6_control_plane.membership import Endpoint
from era6_control_plane.names import (
    AUTHORITIES,
    CDS,
    EDS,
    LDS,
    OWN_CERTIFICATE,
    RDS,
    SDS,
)
from era6_control_plane.snapshot import Resource, Snapshot
from tests.era5.running import ask, until
from tests.era6.roles import Begun, begin
from tests.ports import free_port

PATIENCE_S = 10.0
ORDER = (CDS, EDS, SDS, LDS, RDS)
FILE = """
service = "{service}"
instance = "{service}-1"
version = "{version}"
app = "{app}"
admin_listen = "http://127.0.0.1:{admin}"
[inbound]
listen = "http://127.0.0.1:{inbound}"
[outbound]
listen = "http://127.0.0.1:{outbound}"
[pilot]
nodes = "https://127.0.0.1:{pilot}"
join = "https://127.0.0.1:9"
authorities = "authorities.pem"
[agent]
socket = "unix:{folder}/agent.sock"
state = "agent"
"""


class Ruler(AggregatedDiscoveryServiceServicer, SecretDiscoveryServiceServicer):
    """Sends each stream what is new of `snapshot`, as soon as it is."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.nodes: list[dict[str, Any]] = []  # as each stream began
        self.heard: list[tuple[str, str]] = []  # kind, and the refusal if it was one
        self.had: list[dict[str, str]] = []  # initial_resource_versions
        self._streams: set[queue.Queue[Any]] = set()
        self._server: Any = None

    def start(self, at: str, credentials: Any = None) -> int:
        """at: HOST:PORT, or unix:PATH. Returns the port."""
        self._server = grpc.server(
            ThreadPoolExecutor(32), options=[("grpc.http2.min_ping_interval_without_data_ms", 500)]
        )
        add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        add_SecretDiscoveryServiceServicer_to_server(self, self._server)
        add = self._server.add_secure_port if credentials else self._server.add_insecure_port
        port = add(at, credentials) if credentials else add(at)
        self._server.start()
        return int(port)

    def stop(self) -> None:
        for each in [*self._streams]:
            each.put(None)
        self._server.stop(0).wait()

    def push(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for each in [*self._streams]:
            each.put("look")

    def streams(self) -> int:
        return len(self._streams)

    def refusals(self) -> list[str]:
        return [why for _, why in self.heard if why]

    def DeltaAggregatedResources(self, requests: Any, context: Any) -> Iterator[Any]:
        return self._serve(requests, (CDS, LDS))

    def DeltaSecrets(self, requests: Any, context: Any) -> Iterator[Any]:
        return self._serve(requests, ())

    def _serve(self, requests: Any, wildcard: tuple[str, ...]) -> Iterator[Any]:
        inbox: queue.Queue[Any] = queue.Queue()
        self._streams.add(inbox)
        threading.Thread(target=_hear, args=(requests, inbox), daemon=True).start()
        sent: dict[str, dict[str, str]] = {kind: {} for kind in ORDER}
        wants: dict[str, set[str]] = {kind: set() for kind in ORDER}
        asked: set[str] = set()
        try:
            while (said := inbox.get()) is not None:
                if said != "look":
                    self._note(said, sent, wants, asked)
                for kind in ORDER:
                    if kind in asked:
                        yield from self._news(kind, sent[kind], wants[kind], kind in wildcard)
        finally:
            self._streams.discard(inbox)

    def _note(self, said: Any, sent: Any, wants: Any, asked: set[str]) -> None:
        if said.HasField("node"):
            self.nodes.append(MessageToDict(said.node))
        if said.response_nonce:
            self.heard.append((said.type_url, said.error_detail.message))
        if said.type_url not in asked:
            self.had.append(dict(said.initial_resource_versions))
            sent[said.type_url].update(said.initial_resource_versions)
        asked.add(said.type_url)
        wants[said.type_url] |= set(said.resource_names_subscribe)
        for name in said.resource_names_unsubscribe:
            wants[said.type_url].discard(name)
            sent[said.type_url].pop(name, None)

    def _news(self, kind: str, sent: dict[str, str], wants: set[str], all_: bool) -> Iterator[Any]:
        there = {
            name: each for name, each in self.snapshot.of(kind).items() if all_ or name in wants
        }
        new = [each for each in there.values() if sent.get(each.name) != each.version]
        gone = [name for name in sent if name not in there]
        if not new and not gone:
            return
        sent.clear()
        sent.update({name: each.version for name, each in there.items()})
        resources = [Sent(name=each.name, version=each.version, resource=each.body) for each in new]
        yield DeltaDiscoveryResponse(
            type_url=kind, nonce=os.urandom(4).hex(), resources=resources, removed_resources=gone
        )


def _hear(requests: Any, inbox: queue.Queue[Any]) -> None:
    with contextlib.suppress(Exception):
        for each in requests:
            inbox.put(each)
    inbox.put(None)


class Relay:
    """Between a node and its ruler: who can freeze it, as SIGSTOP would; sockets stay open."""

    def __init__(self, at: int, to: int) -> None:
        self.is_frozen = threading.Event()
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", at))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listener.accept()
                other = socket.create_connection(("127.0.0.1", self._to))
                for pair in ((one, other), (other, one)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(65536):
                while self.is_frozen.is_set():
                    time.sleep(0.01)
                sink.sendall(data)


class Shut:
    """In a ruler's place: counts who comes, and sends everybody away."""

    def __init__(self, at: int) -> None:
        self.knocks = 0
        self._listener = socket.create_server(("127.0.0.1", at))
        self._thread = threading.Thread(target=self._send_away)

    def __enter__(self) -> Shut:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _send_away(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.knocks += 1


def secrets(pair: Pair, authorities: bytes) -> Snapshot:
    """What an agent serves."""
    own = Secret(name=OWN_CERTIFICATE)
    own.tls_certificate.certificate_chain.inline_bytes = pair.certificate
    own.tls_certificate.private_key.inline_bytes = pair.key
    believed = Secret(name=AUTHORITIES)
    believed.validation_context.trusted_ca.inline_bytes = authorities
    return Snapshot([Resource.pack(OWN_CERTIFICATE, own), Resource.pack(AUTHORITIES, believed)])


class Place:
    """One node: its ruler, its agent, its proxy."""

    def __init__(self, authority: Authority, service: str, version: str, app: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="node"))
        self.authority = authority
        self.service = service
        self.ports = {name: free_port() for name in ("inbound", "outbound", "admin", "pilot")}
        self.url = f"http://127.0.0.1:{self.ports['inbound']}"
        outbound = f"http://127.0.0.1:{self.ports['outbound']}"
        self.node = Node(f"{service}-1", service, version, self.url, outbound, app)
        self.ruler = Ruler(Snapshot())
        self.agent = Ruler(Snapshot())
        self.process: Begun | None = None
        told = FILE.format(
            service=service, version=version, app=app, folder=self.folder, **self.ports
        )
        self.file = self.folder / "node.toml"
        self.file.write_text(told)

    def rule(self, intent: Intent, *endpoints: Endpoint) -> None:
        self.ruler.push(compile(intent, endpoints, self.node))

    def open_ruler(self, at: int = 0) -> None:
        """at: another port than the one that the node knows."""
        pair, root = self.authority.issue("pilot"), self.authority.pair().certificate
        told = [(pair.key, pair.certificate)]
        credentials = grpc.ssl_server_credentials(told, root, require_client_auth=True)
        self.ruler.start(f"127.0.0.1:{at or self.ports['pilot']}", credentials)

    def open_agent(self, life_s: float = 3600.0) -> None:
        self.certify(life_s)
        self.agent.start(f"unix:{self.folder}/agent.sock")

    def certify(self, life_s: float = 3600.0) -> None:
        pair = self.authority.issue(self.service, life_s)
        self.agent.push(secrets(pair, self.authority.pair().certificate))

    def launch(self, role: str = "proxy", **environment: str) -> None:
        with (self.folder / "stderr").open("a") as stderr:
            asked = (role, "--config", str(self.file))
            self.process = begin(*asked, stderr=stderr.fileno(), **environment)

    def wait_ready(self) -> None:
        for line in self.process.stdout:
            if "ready at" in line:
                return
        raise AssertionError(self.told())

    def told(self) -> str:
        return (self.folder / "stderr").read_text()

    def connect(self, name: str = "outbound") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[name]), PATIENCE_S)

    def status(self, path: str = "/1", host: str = "inventory", name: str = "outbound") -> int:
        """0: the connection ended without an answer."""
        with self.connect(name) as asking, contextlib.suppress(ConnectionError):
            return int(ask(asking, path, host, last=True)[0].split()[1])
        return 0

    def admin(self, path: str) -> tuple[int, bytes]:
        with self.connect("admin") as asking:
            head, body = ask(asking, path, last=True)
            return int(head.split()[1]), body

    def resident_mib(self, pid: int = 0) -> float:
        status = Path(f"/proc/{pid or self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        if self.process:
            self.process.end()
        for each in (self.ruler, self.agent):
            with contextlib.suppress(AttributeError):
                each.stop()
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def node(authority: Authority, service: str, app: str, version: str = "") -> Iterator[Place]:
    """Its ruler and its agent are not open yet, and its proxy not started."""
    found = Place(authority, service, version, app)
    try:
        yield found
    finally:
        found.close()


__all__ = ["Place", "Relay", "Ruler", "Shut", "node", "secrets", "until"]
