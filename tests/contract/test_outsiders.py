"""Shops that are not ours join the contract: by the name of a package, or by an address.

By address a shop may be written in any language; the one here is 40 lines of plain HTTP.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from lab.contract import response_of
from tests.contract.oracle import Oracle

ROOT = Path(__file__).resolve().parents[2]


def serve(oracle: Oracle) -> ThreadingHTTPServer:
    """The rules of the shop behind HTTP, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body in one segment: else the second waits for an ACK

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

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # a crowd knocks at once

    return Server(("127.0.0.1", 0), Handler)


@contextmanager
def opened(oracle: Oracle) -> Iterator[str]:
    """The shop's URL while it is open."""
    with serve(oracle) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def contract(*options: str, packages: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs the stories as a learner would; their own package lies in `packages`."""
    stories = ["tests/contract/test_stories.py", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *stories, *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_right_shop_at_a_url_passes_the_contract_and_is_left_as_it_was(tmp_path):
    oracle = Oracle(tmp_path)
    with opened(oracle) as url:
        run = contract("--url", url)
    assert run.returncode == 0, run.stdout
    assert oracle.stock.reservations() == [], "the contract gives back what it took"


class Forgetful(Oracle):
    """Takes the same order twice."""

    def ask(self, operation, timeout_s):
        answer = super().ask(operation, timeout_s)
        again = answer["outcome"] == "already_placed"
        return answer | {"outcome": "placed"} if again else answer


def test_a_wrong_shop_at_a_url_is_told_which_story_it_breaks(tmp_path):
    with opened(Forgetful(tmp_path)) as url:
        run = contract("--url", url, "-k", "same_order")
    assert run.returncode == 1
    assert "test_the_same_order_again_is_already_placed" in run.stdout
    assert "the rules say" in run.stdout
    assert "already_placed" in run.stdout


def test_a_learners_own_era_joins_by_the_name_of_its_package(tmp_path):
    era = tmp_path / "learning" / "my_era"
    era.mkdir(parents=True)
    (era / "__init__.py").write_text('SCHEMES = {"portable": "udp"}')
    (era / "__main__.py").write_text(
        "import sys\nfrom era0_naive.role import run\nrun('era0_naive', sys.argv[1:])\n"
    )
    run = contract("--era", "learning.my_era", "-k", "same_order", "-vv", packages=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "learning.my_era-portable" in run.stdout


def test_a_learners_own_era_over_http_joins_by_its_name_too():
    some = "same_order or no_operation"
    run = contract("--era", "tests.lab.web_era", "--wire", "portable", "-vv", "-k", some)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "tests.lab.web_era-portable" in run.stdout
    assert "no_operation" not in run.stdout, "HTTP cannot say this"


def test_an_unknown_era_is_named_with_those_that_are_known():
    run = contract("--era", "nine")
    told = run.stdout + run.stderr
    assert run.returncode == 4
    assert "unknown era 'nine': accepted are 0, 1, 2" in told
    assert "Traceback" not in told
