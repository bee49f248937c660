"""An operator's interface that serves a control plane which only pretends."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from era5_sidecar.server import listener_at
from era6_control_plane.history import History
from era6_control_plane.operator_api import OperatorApi
from era6_control_plane.ruling import Ruling

TOKEN = "t" * 40
PATIENCE_S = 10.0


class StandIn:
    """What a control plane answers; tests set it."""

    def __init__(self) -> None:
        self.why_not = ""
        self.nodes: list[dict[str, Any]] = []
        self.endpoints: list[dict[str, Any]] = []
        self.waits: list[tuple[int, float]] = []
        self.tokens: list[tuple[str, str, float]] = []
        self.authorities: dict[str, Any] = {"stage": "steady"}
        self.settle = threading.Event()
        self.settle.set()
        self.wrong: Exception | None = None

    def why_not_ready(self) -> str:
        return self.why_not

    def status(self, wait_for: int = 0, within_s: float = 0.0) -> Mapping[str, Any]:
        if wait_for:
            self.waits.append((wait_for, within_s))
            self.settle.wait(within_s)
        revision = wait_for or len(self.waits)
        told = {"revision": revision, "nodes": self.nodes, "endpoints": self.endpoints}
        return {**told, "authorities": self.authorities, "is_settled": self.settle.is_set()}

    def new_token(self, service: str, instance: str, life_s: float) -> str:
        self.tokens.append((service, instance, life_s))
        return "join-token"

    def rotate(self) -> str:
        if self.wrong:
            raise self.wrong
        return "both trusted"


class Desk:
    """One interface that is served, and who stands before it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.behind = StandIn()
        self.ruling = Ruling(History(folder / "intent.db"), lambda number, intent: None)
        self._listener = listener_at(address)
        self._api = OperatorApi(self.ruling, self.behind, TOKEN)
        self._api.serve(self._listener)
        self.address = address
        if not address.startswith("unix:"):
            self.host = "{}:{}".format(*self._listener.getsockname())
            self.address = f"http://{self.host}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, timeout=PATIENCE_S)

    def ask(
        self,
        method: str,
        path: str,
        said: object = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, Any]:
        """Status and JSON. said: as JSON; body: as it stands."""
        told = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        told |= headers or {}
        raw = json.dumps(said).encode() if said is not None else body
        with closing(self.connect()) as connection:
            connection.request(method, path, raw, {key: each for key, each in told.items() if each})
            answer = connection.getresponse()
            self.headers = answer.headers
            return answer.status, json.loads(answer.read())

    def raw(self, request: bytes) -> bytes:
        """What is answered to these bytes."""
        with socket.create_connection(self._listener.getsockname(), PATIENCE_S) as peer:
            peer.sendall(request)
            return peer.recv(65536)

    def close(self) -> None:
        self._api.close()


@contextmanager
def desk(folder: Path, address: str = "http://127.0.0.1:0") -> Iterator[Desk]:
    """An interface until the end of the block."""
    served = Desk(folder, address)
    try:
        yield served
    finally:
        served.close()


def until(holds: Callable[[], object]) -> None:
    last = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.01)
