"""The built site: every link leads somewhere, nothing comes from elsewhere, no net is needed."""

import re
import socket
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.conftest import ROOT

MARKS = ("figure", "value", "lines")
NAMES_ONLY = ("canonical", "alternate", "next", "prev", "edit")


class Page(HTMLParser):
    """What one page refers to, and where it can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.references: list[tuple[str, bool]] = []  # (where to, is it loaded with the page)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        self.anchors |= {has[key] for key in ("id", "name") if has.get(key)}
        is_loaded = tag != "a" and has.get("rel") not in NAMES_ONLY
        self.references += [(has[key], is_loaded) for key in ("href", "src") if has.get(key)]


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_link_and_anchor_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    wrong = [
        f"{path.relative_to(site)}: {reference}"
        for path, page in pages.items()
        for reference, _ in page.references
        if not leads_somewhere(site, path, reference, pages)
    ]
    assert not wrong, "\n".join(wrong)


def leads_somewhere(site: Path, path: Path, reference: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(reference)
    if parts.scheme or parts.netloc:
        return True
    base = site if parts.path.startswith("/") else path.parent
    target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.exists():
        return False
    is_anchor = parts.fragment and not parts.fragment.startswith("__") and target in pages
    return not is_anchor or unquote(parts.fragment) in pages[target].anchors


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    loaded = [
        f"{path.relative_to(site)}: {reference}"
        for path, page in pages.items()
        for reference, is_loaded in page.references
        if is_loaded and urlsplit(reference).netloc
    ]
    assert not loaded, "\n".join(loaded)


def test_style_sheets_load_nothing_from_elsewhere(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8")), sheet


def test_no_fence_was_left_as_plain_text(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "#!" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.S), path
        assert not re.search(r"language-(?:code|output|ladder|plot|promises|states)\b", text), path


def test_inline_marks_are_ones_that_exist() -> None:
    for page in (ROOT / "docs" / "en").rglob("*.md"):
        for mark in re.findall(r"`#!(\w+)", page.read_text(encoding="utf-8")):
            assert mark in MARKS, f"{page.name}: #!{mark}"


def test_the_site_builds_without_a_network(site: Path, alone: list[str]) -> None:
    if not alone:
        pytest.skip("this machine allows no user namespaces: `unshare -rn` fails")
    assert (site / "index.html").is_file()
    looks = [*alone, sys.executable, "-c", "import socket; print(*socket.if_nameindex())"]
    seen = subprocess.run(looks, capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "(1, 'lo')", "there was a network after all"


def test_an_address_that_is_taken_is_named_and_another_proposed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = subprocess.run(
            [sys.executable, "-m", "lab.docs", "serve", "--address", address],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
        )
    assert told.returncode == 2
    assert f"address '{address}': Address already in use" in told.stderr
    assert "Traceback" not in told.stderr
