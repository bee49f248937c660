"""Whoever operates a mesh: asks its control plane, and tells it what is wanted, over HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.cast.toml import toml_of
from lab.doors import unix_connection
from lab.find import Era, child_environment
from lab.launch import RoleFailed

TIMEOUT_S = 15.0
LOOK_S = 0.01
Status = Mapping[str, Any]


class Operator:
    """One control plane, at http://HOST:PORT or unix:PATH. `token` is the file that it wrote."""

    def __init__(self, address: str, token: Path) -> None:
        self.address = address
        self.token = token

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What it answers. Raises ValueError with its words if it refuses, OSError if nobody is
        there.
        """
        told = {"Authorization": f"Bearer {self.token.read_text().strip()}"}
        with closing(self._connection()) as connection:
            if body is None:
                connection.request(method, path, headers=told)
            else:
                told["Content-Type"] = "application/json"
                connection.request(method, path, json.dumps(body), told)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        if answer.status >= 400:
            raise ValueError(f"the control plane refused: {said.get('detail', answer.status)}")
        return said

    def intent(self) -> str:
        """The text that is in force."""
        return str(self.ask("GET", "/intent")["text"])

    def apply(self, text: str, note: str = "") -> int:
        """Want this from now on; the revision. It returns when it is accepted, not yet obeyed."""
        said = {"text": text, "note": note, "who": "the stage"}
        return int(self.ask("PUT", "/intent", said)["revision"])

    def change(self, key: str, value: object, note: str = "") -> int:
        """The same intent with another value, as `services.inventory.client.try_timeout_s`."""
        table = tomllib.loads(self.intent())
        *path, last = key.split(".")
        inner: dict[str, Any] = table
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
        return self.apply(toml_of(table), note)

    def status(self) -> Status:
        """Who is there, and what everybody has been told and has acknowledged."""
        status: Status = self.ask("GET", "/status")
        return status

    def obeyed(self, revision: int, within_s: float = 5.0) -> Status:
        """When all connected nodes have acknowledged or refused it, or that time has passed."""
        path = f"/status?wait={revision}&within_s={within_s:g}"
        status: Status = self.ask("GET", path)
        return status

    def wait(self, seen: Callable[[Status], bool], what: str) -> None:
        """Until the status is so. Raises RoleFailed."""
        until = time.monotonic() + TIMEOUT_S
        while not seen(status := self.status()):
            if time.monotonic() > until:
                raise RoleFailed(f"the control plane: not in {TIMEOUT_S:g} s {what}: {status}")
            time.sleep(LOOK_S)

    def token_for(self, service: str, instance: str) -> str:
        """What lets an instance join, once."""
        body = {"service": service, "instance": instance, "life_s": 600}
        return str(self.ask("POST", "/tokens", body)["token"])

    def _connection(self) -> http.client.HTTPConnection:
        if not self.address.startswith("unix:"):
            return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=TIMEOUT_S)
        connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT_S)
        connection.sock = unix_connection(Path(self.address.removeprefix("unix:")), TIMEOUT_S)
        return connection

    def __repr__(self) -> str:
        return f"<Operator of {self.address}>"


def operate(era: Era, operator: Operator, words: Sequence[str]) -> str:
    """What the era's own command prints, run in its folder. Raises ValueError if it refuses."""
    told = {"ERAS_MESH": operator.address, "ERAS_MESH_TOKEN": str(operator.token)}
    ended = subprocess.run(
        [sys.executable, "-m", era.package, "mesh", *words],
        env={**child_environment(), **told},
        cwd=era.folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if ended.returncode:
        raise ValueError((ended.stderr or ended.stdout).strip())
    return ended.stdout.rstrip()


def has_all(instances: Sequence[str], caller: str) -> Callable[[Status], bool]:
    """Whether these are known, and `caller`'s proxy has acknowledged it."""

    def seen(status: Status) -> bool:
        known = {each["instance"] for each in status["endpoints"]}
        nodes = [each for each in status["nodes"] if each["node"] == caller]
        return known >= set(instances) and bool(nodes) and is_in_step(nodes[0])

    return seen


def is_in_step(node: Status) -> bool:
    """Whether it has acknowledged all that it is to know."""
    return bool(node["connected"]) and all(
        each["desired"] == each["acknowledged"] for each in node["types"].values()
    )
