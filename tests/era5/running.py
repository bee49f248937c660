"""A proxy as a process, and a service behind it that does what its paths say."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from era5_sidecar.life import PLAIN
from lab.hostile.proxies.start import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 10.0
PIECE = bytes(1 << 18)
FILE = """
service = "orders"
instance = "orders-1"
app = "http://127.0.0.1:{app}"
admin_listen = "http://127.0.0.1:{admin}"
[inbound]
listen = "http://127.0.0.1:{inbound}"
is_edge = true
settle_s = 0
drain_s = 1
may = [{{ callers = ["*"], method = "*", path = "/" }}]
[outbound]
listen = "http://127.0.0.1:{outbound}"
[outbound.services.inventory]
endpoints = ["http://127.0.0.1:{app}"]
[outbound.services.inventory.client]
retry = {{ attempts = 1 }}
breaker = {{ consecutive_failures = 1 }}
{more}
"""


class App(socketserver.ThreadingTCPServer):
    """GET /N: so many bytes. PUT: counts what it is sent. Each connection has its thread."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Turn)

    @property
    def port(self) -> int:
        return self.server_address[1]


class Turn(socketserver.StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                self._answer(line.split()[1].decode().strip("/"))

    def _answer(self, path: str) -> None:
        length = 0
        while (field := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = field.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        heard = 0
        while heard < length:
            heard += len(self.rfile.read1(min(1 << 18, length - heard)))
        size = int(path) if path.isdigit() else 0
        told = b"HTTP/1.1 200 OK\r\nX-Heard: %d\r\nContent-Length: %d\r\n\r\n" % (heard, size)
        self.connection.sendall(told)
        while size > 0:
            self.connection.sendall(PIECE[:size])
            size -= len(PIECE)


class Running:
    """What a test asks of it."""

    def __init__(self, process: subprocess.Popen[str], ports: dict[str, int], folder: Path) -> None:
        self.process = process
        self.ports = ports
        self.file = folder / "sidecar.toml"
        self._told = folder / "stderr"

    def connect(self, name: str = "inbound") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[name]), PATIENCE_S)

    def told(self) -> str:
        return self._told.read_text()

    def stats(self) -> str:
        with self.connect("admin") as asking:
            return ask(asking, "/stats", last=True)[1].decode()

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def configure(self, told: str) -> None:
        """Write its file, tell it, and wait until it has said what it makes of it."""
        said = len(self.told().splitlines())
        self.file.write_text(told)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.told().splitlines()) > said)


@contextlib.contextmanager
def running(
    folder: Path, app: int, more: str = "", most_files: int = 0, is_plain: bool = False
) -> Iterator[Running]:
    """One proxy before the service at this port; more: of its file. is_plain: without uvloop."""
    ports = {name: free_port() for name in ("inbound", "outbound", "admin")}
    (folder / "sidecar.toml").write_text(FILE.format(app=app, more=more, **ports))

    def limit() -> None:
        if most_files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))

    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "era5_sidecar", "proxy", "--config", folder / "sidecar.toml"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            preexec_fn=limit,
            env={**os.environ, **({PLAIN: "1"} if is_plain else {})},
        )
    try:
        assert "ready at" in process.stdout.readline(), (folder / "stderr").read_text()
        yield Running(process, ports, folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def serving() -> Iterator[App]:
    with App() as app:
        thread = threading.Thread(target=app.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield app
        finally:
            app.shutdown()
            thread.join()


def head_of(path: str, host: str, method: str, length: int, last: bool) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"Content-Length: {length}"] * (method == "PUT")
    lines += ["Connection: close"] * last
    return "\r\n".join([*lines, "", ""]).encode()


def ask(
    asking: socket.socket, path: str = "/1", host: str = "", body: bytes = b"", last: bool = False
) -> tuple[bytes, bytes]:
    """The head and the body of an answer; OSError if there is none."""
    host = host or ":".join(map(str, asking.getpeername()))  # the admin listener looks at it
    asking.sendall(head_of(path, host, "PUT" if body else "GET", len(body), last) + body)
    return answer_of(asking)


def answer_of(asking: socket.socket) -> tuple[bytes, bytes]:
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += _more(asking)
    head, _, body = heard.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += _more(asking)
    return head, body


def _more(asking: socket.socket) -> bytes:
    more = asking.recv(1 << 18)
    if not more:
        raise ConnectionResetError("the end")
    return more


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Waits until it holds; AssertionError if it does not come about."""
    late = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < late
        time.sleep(0.01)
