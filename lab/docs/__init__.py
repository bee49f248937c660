"""The documentation's tool chain: code cut from source, captured runs, figures, the ladder player.

Nothing that the pages show of the project is typed by hand. `generate` runs the real commands and
writes what they said to docs/captured; `fences` brings that, the source and the measurements into
the pages when MkDocs builds them, and stops the build when something is missing.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CAPTURED = ROOT / "docs" / "captured"
MEASUREMENTS = ROOT / "docs" / "measurements"


class DocsError(Exception):
    """A page asks for something that is not there; the message says what, and what would do."""
