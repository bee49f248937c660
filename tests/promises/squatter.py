"""Somebody who listens where one of ours has died, and so is sent what was meant for it."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from lab.find import child_environment
from lab.stage import Stage
from tests.promises.credentials import NOBODY, Credential
from tests.promises.stand_in import Server, context_of
from tests.promises.stranger import address_in

FREE_S = 5.0  # so soon at the latest whoever listened there has let go of the port

# Eras 0 to 2: the era's own transport, in a process that is no service of the shop.
SQUAT = """
import importlib, json, sys
package, address, answer = sys.argv[1:]

def answered(request):
    print("asked", flush=True)
    return json.loads(answer)

serve = importlib.import_module(package + ".transport").serve
serve(address, answered, lambda address: print("ready", flush=True))
"""


class Squatter:
    """What came to him so far, as lines: `asked`, the credentials that came along, or `not asked`
    and why somebody who had come would not speak to him.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []

    @property
    def shown(self) -> list[Credential]:
        """By those who said who they are, before they knew who listens."""
        tokens = [line.partition(" ")[2] for line in self.heard if line.startswith("Bearer ")]
        return [Credential(token) for token in tokens]


@contextmanager
def squatting(
    stage: Stage, url: str, answer: dict[str, Any], shows: Credential = NOBODY
) -> Iterator[Squatter]:
    """Listen at `url`, and answer everything with `answer` as if all were well. `shows`: of a
    certificate that he has, to whoever asks for one.
    """
    squatter = Squatter()
    if stage.era.speaks_http:
        with _over_http(url, json.dumps(answer), shows, squatter):
            yield squatter
        return
    with _in_the_eras_own_way(stage, url, json.dumps(answer), squatter):
        yield squatter


@contextmanager
def _over_http(url: str, answer: str, shows: Credential, squatter: Squatter) -> Iterator[None]:
    server = _server_at(address_in(url), answer.encode(), shows, squatter)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _server_at(
    address: tuple[str, int], answer: bytes, shows: Credential, squatter: Squatter
) -> Server:
    def turned_away(why: str) -> None:
        squatter.heard.append(f"not asked: {why}")

    until = time.monotonic() + FREE_S
    while True:
        try:
            return Server(address, _handler(answer, squatter), shows, turned_away)
        except OSError:  # the relay that refused in the dead one's name still listens
            if time.monotonic() > until:
                raise
        time.sleep(0.01)


def _handler(answer: bytes, squatter: Squatter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            squatter.heard.append(self.headers.get("Authorization", "asked"))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_DELETE = do_PUT

        def log_message(self, format: str, *args: object) -> None: ...

    return Handler


@contextmanager
def _in_the_eras_own_way(stage: Stage, url: str, answer: str, squatter: Squatter) -> Iterator[None]:
    argv = [sys.executable, "-c", SQUAT, stage.era.package, url, answer]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, env=child_environment(), text=True
    ) as somebody:
        assert somebody.stdout
        try:
            assert somebody.stdout.readline() == "ready\n", "nobody could listen there"
            told = (somebody.stdout, squatter)
            threading.Thread(target=_listen_to, args=told, daemon=True).start()
            yield
        finally:
            somebody.kill()


def _listen_to(lines: Iterable[str], squatter: Squatter) -> None:
    for line in lines:
        squatter.heard.append(line.strip())


class Eavesdropper:
    """Shows a certificate of his, and speaks what gRPC speaks. `met`: who came; `heard`: what they
    said to him, when they knew who he is.
    """

    def __init__(self, url: str, shows: Credential) -> None:
        """url: where he listens, as soon as that is free."""
        self.met = 0
        self.heard = b""
        self._tls = context_of(shows)
        self._tls.set_alpn_protocols(["h2"])
        self._listener = _listener_at(address_in(url))

    def __enter__(self) -> "Eavesdropper":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else `accept` keeps the port for one more
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                line.settimeout(FREE_S)
                with suppress(OSError), self._tls.wrap_socket(line, server_side=True) as guarded:
                    self.met += 1
                    self.heard += guarded.recv(65536)


def _listener_at(address: tuple[str, int]) -> socket.socket:
    until = time.monotonic() + FREE_S
    while True:
        try:
            return socket.create_server(address)
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.01)
