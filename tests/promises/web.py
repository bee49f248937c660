"""HTTP as anybody on the network can speak it, from here or from inside orders' host.

`python -m tests.promises.web` reads a request from stdin as JSON and prints the answer as JSON,
wherever the kernel of that host leads those who live there.
"""

import _socket
import http.client
import json
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.wire.divert import MARK

ANSWER_S = 10.0


@dataclass(frozen=True)
class Request:
    """`url` is http://HOST:PORT or https://HOST:PORT; a `body` travels as JSON. `certificate`: a
    file in PEM to be shown, its key beside it.
    """

    url: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    certificate: str = ""


@dataclass(frozen=True)
class Answer:
    """`headers` by their names in lower case. `status` 0: the era does not speak HTTP, or TLS let
    nobody in who could have been answered.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    is_cut: bool = False

    @property
    def is_for_strangers(self) -> bool:
        """Whether it says that nobody knows who asks; TLS says so by ending the connection."""
        return self.status == 401 or self.is_cut

    @property
    def is_refusal(self) -> bool:
        """The same, or that who asks may not."""
        return self.is_for_strangers or self.status == 403

    @property
    def outcome(self) -> str:
        """What the contract calls it; empty if it says nothing that we know."""
        try:
            return str(json.loads(self.text)["outcome"])
        except (ValueError, TypeError, KeyError):
            return ""


def exchange(request: Request) -> Answer:
    """One request on a connection of its own. Raises OSError, HTTPException."""
    if request.url.startswith("http:"):
        return _exchange(request, http.client.HTTPConnection(_place(request), timeout=ANSWER_S))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who is asked is not the question here
    if request.certificate:
        context.load_cert_chain(request.certificate, Path(request.certificate).with_suffix(".key"))
    place = _place(request)
    line = http.client.HTTPSConnection(place, timeout=ANSWER_S, context=context)
    try:
        return _exchange(request, line)
    except (ssl.SSLError, ConnectionError) as error:  # an alert, or what overtook it
        return Answer(0, {}, f"{type(error).__name__}: {error}", is_cut=True)


def _place(request: Request) -> str:
    return urlsplit(request.url).netloc


def _exchange(request: Request, connection: http.client.HTTPConnection) -> Answer:
    body = None if request.body is None else json.dumps(request.body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        connection.request(request.method, request.path, body, {**kind, **request.headers})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


def answers_at(path: str) -> bool:
    """Whether somebody serves HTTP at this Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ANSWER_S)
        line.connect(path)
        line.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        return line.recv(64).startswith(b"HTTP/1.1 200")


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def be_anywhere() -> None:
    """No rule of this host's holds for what this process sends: whom it plays is elsewhere."""
    socket.socket.connect = _marked  # type: ignore[method-assign]


def _marked(line: socket.socket, address: Any) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    _socket.socket.connect(line, address)


if __name__ == "__main__":
    be_anywhere()
    print(json.dumps(asdict(exchange(Request(**json.load(sys.stdin))))))
