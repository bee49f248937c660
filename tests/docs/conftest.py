"""The site, built once per session, served on a free port, looked at with the system's Chromium."""

import contextlib
import functools
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUIET = (  # a browser that loads what the page asks for and nothing else
    "--no-sandbox",
    "--disable-gpu",
    "--disable-software-rasterizer",  # nor does anybody play a graphics card
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK = {"width": 1280, "height": 720}
USUAL_MEDIA = {"color_scheme": "light", "reduced_motion": "no-preference"}


def build(site: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Build the English site strictly into `site`; `before` is put in front of the command."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "mkdocs.yml", "-d"]
    return subprocess.run(
        [*before, *command, str(site)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="session")
def alone() -> list[str]:
    """What to put before a command that must do without a network; empty where that cannot be."""
    alone = [shutil.which("unshare") or "unshare", "-rn"]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
            return alone
    return []


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, alone: list[str]) -> Path:
    """The folder of the built site: built without a network, where that can be."""
    pytest.importorskip("material", reason="the docs extra is not installed")
    folder = tmp_path_factory.mktemp("site")
    built = build(folder, *alone)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="session")
def site_url(site: Path) -> Iterator[str]:
    """Where the built site is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")  # playwright keeps an event loop running: other tests have theirs
def chromium():
    """The system's Chromium through playwright, or a skip that says what is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")  # those that `eras doctor` knows
    program = next(filter(None, map(shutil.which, names)), None)
    if not program:
        pytest.skip("no chromium on this machine (Debian, Ubuntu: apt install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


class Visit:
    """A page, loaded anew; remembers complaints and requests that left this machine."""

    def __init__(self, page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.heard = {"pageerror": self._broke, "console": self._said, "request": self._asked}
        for event, told in self.heard.items():
            page.on(event, told)
        page.goto(url)

    def leave(self) -> None:
        for event, told in self.heard.items():
            self.page.remove_listener(event, told)
        self.page.evaluate("localStorage.clear()")  # the theme writes down what it found there
        self.page.goto("about:blank")

    def _broke(self, error) -> None:
        self.complaints.append(str(error))

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.outside.append(request.url)


@pytest.fixture(scope="module")
def window(chromium):
    """What most pages are looked at in: another one costs twice of what another page costs."""
    page = chromium.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(chromium, window, site_url: str):
    """`visit("eras/1/", viewport=...)`: a Visit in `window`, without scripts in one of its own."""
    with contextlib.ExitStack() as leaving:

        def go(path: str, *, viewport=DESK, has_script=True, **media) -> Visit:
            page = window
            if not has_script:
                page = chromium.new_page(java_script_enabled=False)
                leaving.callback(page.close)
            page.set_viewport_size(viewport)
            page.emulate_media(**USUAL_MEDIA | media)
            one = Visit(page, site_url + path)
            if has_script:
                leaving.callback(one.leave)
            return one

        yield go
