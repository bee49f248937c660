"""A shop in any language joins the contract by its address: here one of 40 lines of plain HTTP."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from lab.contract import response_of
from tests.contract.oracle import Oracle

ROOT = Path(__file__).resolve().parents[2]


def serve(oracle: Oracle) -> ThreadingHTTPServer:
    """The rules of the shop behind HTTP, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.respond("place", {"order_id": self.order_id(), **body})

        def do_DELETE(self) -> None:
            self.respond("cancel", {"order_id": self.order_id()})

        def do_GET(self) -> None:
            op = "catalogue" if self.path == "/catalogue" else "show"
            self.respond(op, {"order_id": self.order_id()})

        def order_id(self) -> str:
            return unquote(self.path.removeprefix("/orders/"))

        def respond(self, op: str, fields: dict) -> None:
            status, kind, body = response_of(op, oracle.ask({"op": op, **fields}, 1.0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def shop_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with serve(request.param(tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def contract_at(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    stories = ["tests/contract/test_stories.py", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *stories, "--url", url, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("shop_url", [Oracle], indirect=True, ids=["right"])
def test_a_right_shop_at_a_url_passes_the_contract(shop_url):
    run = contract_at(shop_url)
    assert run.returncode == 0, run.stdout
    again = contract_at(shop_url, "-k", "order or shelf or customers")
    assert again.returncode == 0, f"a second time, on the same shop: {again.stdout}"


class Forgetful(Oracle):
    """Takes the same order twice."""

    def ask(self, operation, timeout_s):
        answer = super().ask(operation, timeout_s)
        again = answer["outcome"] == "already_placed"
        return answer | {"outcome": "placed"} if again else answer


@pytest.mark.parametrize("shop_url", [Forgetful], indirect=True, ids=["wrong"])
def test_a_wrong_shop_at_a_url_is_told_which_story_it_breaks(shop_url):
    run = contract_at(shop_url, "-k", "order")
    assert run.returncode == 1
    assert "test_the_same_order_again_is_already_placed" in run.stdout
    assert "the rules say" in run.stdout
    assert "already_placed" in run.stdout
