"""The site: `serve` it while you write, `build` it, `generate` what it shows of real runs."""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

from lab.docs import ROOT

LANGUAGES = {"en": "mkdocs.yml"}  # a further one: its small configuration over mkdocs.base.yml
FIRST_PAGE = """<!doctype html><meta charset="utf-8"><title>Seven Eras</title>
<meta http-equiv="refresh" content="0; url=en/"><a href="en/">Seven Eras</a>
"""


def build(site: Path = ROOT / "site") -> int:
    """Build all languages, strictly: a warning is an error. Returns the exit code."""
    for language, config in LANGUAGES.items():
        code = _mkdocs("build", "--strict", "-f", config, "-d", str((site / language).resolve()))
        if code:
            return code
    (site / "index.html").write_text(FIRST_PAGE, encoding="utf-8")
    return 0


def serve(address: str) -> int:
    """Serve one language and build it again when a page or the source changes, until Ctrl-C."""
    wrong = _not_free(address)
    if wrong:
        print(
            f"address {address!r}: {wrong}; accepted: HOST:PORT with a free port, as in"
            " `python -m lab.docs serve --address 127.0.0.1:8001`",
            file=sys.stderr,
        )
        return 2
    watched = [str(path) for path in sorted(ROOT.glob("era*_*"))]
    watch = [word for path in [*watched, "lab/docs", "docs"] for word in ("-w", path)]
    try:
        return _mkdocs("serve", "--dev-addr", address, *watch)
    except KeyboardInterrupt:
        return 0


def _not_free(address: str) -> str | None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_server((host, int(port))):  # mkdocs would end in a traceback
            return None
    except (OSError, ValueError, OverflowError) as error:
        return getattr(error, "strerror", None) or "not an address"


def _mkdocs(*arguments: str) -> int:
    try:
        import mkdocs  # noqa: F401
    except ImportError:
        print(
            "the docs need their extra: pip install -e '.[docs]' (make docs does)", file=sys.stderr
        )
        return 1
    # the theme's advice about MkDocs 2 is no news here (it is pinned), and drowns real warnings
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.call([sys.executable, "-m", "mkdocs", *arguments], cwd=ROOT, env=environment)


def main() -> int:
    """Command line; returns the exit code."""
    if sys.argv[1:2] == ["generate"]:
        from lab.docs import generate

        return generate.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m lab.docs", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    server = verbs.add_parser("serve", help="the site, here, while you write")
    server.add_argument("--address", default="127.0.0.1:8000", metavar="HOST:PORT")
    verbs.add_parser("build", help="all languages into site/, strictly")
    verbs.add_parser("generate", help="docs/captured anew, or --check it (has its own --help)")
    asked = parser.parse_args()
    return serve(asked.address) if asked.verb == "serve" else build()


if __name__ == "__main__":
    sys.exit(main())
