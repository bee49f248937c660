"""How the operator's command asks the control plane: HTTP, a token, nothing else."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from era5_sidecar.config_text import UNIX
from era6_control_plane import operator_token

PATIENCE_S = 15.0
MOST_BYTES = 64 * 2**20  # of an answer
KIND = "application/json"


class Refused(Exception):
    """The control plane understood us and will not; the message is its own."""


class ControlPlane:
    """The one at this address."""

    def __init__(self, address: str, token_file: str) -> None:
        """Raises ValueError, OSError, if there is no way to ask it."""
        if not address:
            accepted = f"--at or $ERAS_MESH with http://IP:PORT or {UNIX}PATH"
            raise ValueError(f"where is the control plane? accepted: {accepted}")
        if not token_file:
            accepted = "--token-file or $ERAS_MESH_TOKEN with the file that the control plane wrote"
            raise ValueError(f"who are you? accepted: {accepted}")
        _check(address)
        self._address = address
        self._token = operator_token.read(Path(token_file))

    def ask(self, method: str, path: str, said: object = None, name: str = "") -> dict[str, Any]:
        """What it answers. path: with its query. said: the body, for JSON. name: of the file that
        it is from, for errors.

        Raises Refused, OSError if nobody is there, ValueError if that is no control plane.
        """
        return self._ask(method, path, said, name, PATIENCE_S)

    def obeyed(self, revision: int, within_s: float) -> dict[str, Any]:
        """The status, when all nodes have acknowledged or refused this, or that time is over."""
        path = f"/status?wait={revision}&within_s={quote(f'{within_s:g}')}"
        return self._ask("GET", path, None, "", within_s + PATIENCE_S)

    def _ask(
        self, method: str, path: str, said: object, name: str, patience_s: float
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if method != "GET":
            headers["Content-Type"] = KIND
        body = None if said is None else json.dumps(said, ensure_ascii=False).encode()
        try:
            with closing(_connection(self._address, patience_s)) as connection:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                status, raw = answer.status, answer.read(MOST_BYTES)
        except http.client.HTTPException as error:
            raise ValueError(f"{self._address} speaks no HTTP: {error!r}") from error
        except TimeoutError as error:
            late = "" if method == "GET" else "; it may do it yet: its history tells"
            why = f"has not answered in {patience_s:g} s{late}"
            raise OSError(f"the control plane at {self._address} {why}") from error
        except OSError as error:
            why = error.strerror or str(error)
            raise OSError(f"no control plane at {self._address}: {why}") from error
        told = self._read(raw)
        if status >= 400:
            raise Refused(_named(told, name) if name else str(told.get("detail", status)))
        return told

    def _read(self, raw: bytes) -> dict[str, Any]:
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise ValueError(f"{self._address} does not answer as a control plane: {raw[:60]!r}")
        return told


def _named(told: Mapping[str, Any], name: str) -> str:
    """The control plane calls every text intent.toml; we know what ours is called."""
    detail = str(told.get("detail", ""))
    return detail.replace("intent.toml", name, 1) if "line" in told else detail


def _check(address: str) -> None:
    """Raises ValueError unless it is on this machine: the token goes there in the clear."""
    if address.startswith(UNIX) and address != UNIX:
        return
    try:
        parts = urlsplit(address)
        host, is_plain = parts.hostname or "", parts.scheme == "http" and bool(parts.port)
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_plain = is_here = False
    if not (is_plain and is_here and not parts.path and not parts.username):
        accepted = f"http://IP:PORT with an IP of this machine's own, as 127.0.0.1, or {UNIX}PATH"
        raise ValueError(f"address {address!r}; accepted: {accepted}")


def _connection(address: str, patience_s: float) -> http.client.HTTPConnection:
    if not address.startswith(UNIX):
        return http.client.HTTPConnection(urlsplit(address).netloc, timeout=patience_s)
    connection = http.client.HTTPConnection("localhost", timeout=patience_s)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(patience_s)
    connection.sock.connect(address.removeprefix(UNIX))
    return connection
