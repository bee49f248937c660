"""A whole sidecar with secrets that can be recognised: nothing that it shows or writes has them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from era5_sidecar import certificates

ROOT = Path(__file__).parents[2]
PATIENCE_S = 15.0
SECRET = "canary-content-" + "0" * 49
APP = """
import http.server
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
print(server.server_port, flush=True)
server.serve_forever()
"""
FILE = """
service = "inventory"
instance = "inventory-1"
app = "http://127.0.0.1:{app}"
admin_listen = "http://127.0.0.1:0"
[inbound]
listen = "http://127.0.0.1:0"
settle_s = 0
[outbound]
listen = "http://127.0.0.1:0"
[outbound.services.suppliers]
[registry]
url = "{registry}"
secret = "canary-secret-file"
[tls]
certificate = "inventory.pem"
key = "canary-key-file"
authority = "authority.pem"
[log]
path = "log"
every_s = 0.05
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    certificates.main(tmp_path, ["inventory"])
    (tmp_path / "inventory.key").rename(tmp_path / "canary-key-file")
    (tmp_path / "canary-secret-file").write_text(SECRET)
    return tmp_path


def started(*argv: str, **also) -> subprocess.Popen:
    command = [sys.executable, *argv]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **also)


@pytest.fixture
def sidecar(folder) -> Iterator[dict[str, str]]:
    """Where it listens; a registry and an app are there."""
    secret = str(folder / "canary-secret-file")
    listen = ("--listen", "http://127.0.0.1:0")
    app = started("-c", APP, stderr=subprocess.DEVNULL)
    registry = started("-m", "era5_sidecar", "registry", "--secret", secret, *listen)
    config = folder / "sidecar.toml"
    port, url = app.stdout.readline().strip(), registry.stdout.readline().split()[-1]
    config.write_text(FILE.format(app=port, registry=url))
    with (folder / "stderr").open("w") as stderr:
        kept = started("-m", "era5_sidecar", "sidecar", "--config", str(config), stderr=stderr)
    try:
        words = kept.stdout.readline().split()[2:]
        assert any(line.startswith("sidecar ready at ") for line in kept.stdout), said(folder)
        yield dict(word.split("=") for word in words) | {"pid": str(kept.pid)}
    finally:
        for each in (kept, registry, app):
            with each:
                each.terminate()


def said(folder: Path) -> str:
    return (folder / "stderr").read_text()


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310
            return str(answer.headers) + answer.read().decode()
    except urllib.error.HTTPError as error:
        return str(error.headers) + error.read().decode()


def wait_for(folder: Path, words: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while words not in said(folder):
        assert time.monotonic() < until, said(folder)
        time.sleep(0.02)


def test_no_secret_is_shown_or_written_anywhere(folder, sidecar):
    key = (folder / "canary-key-file").read_text().splitlines()[1]
    shown = [get(sidecar["admin"] + path) for path in ("/config", "/stats", "/ready", "/x")]
    assert json.loads(shown[0].partition("\n\n")[2])["tls"]["key"] == "(hidden)"
    shown.append(get(sidecar["outbound"] + "/x"))  # refused, with a reason
    config = folder / "sidecar.toml"
    config.write_text(config.read_text().replace("canary-key-file", "inventory.pem"))
    (folder / "canary-secret-file").write_text("canary-short")
    os.kill(int(sidecar["pid"]), signal.SIGHUP)
    wait_for(folder, "stays in force")
    written = [path.read_text() for path in (folder / "log", folder / "stderr")]
    for text in shown + written:
        assert "canary" not in text
        assert key not in text
        assert "eyJ" not in text  # how a token begins
