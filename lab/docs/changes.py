"""The difference between two eras' files: what the reader must learn anew, and what vanished."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from lab.docs import ROOT
from lab.docs.cut import cut

CONTEXT_LINES = 2


@dataclass(frozen=True)
class Change:
    """A unified diff and what it amounts to, in lines."""

    before: str
    after: str
    text: str
    removed: int
    added: int
    kept: int

    @property
    def title(self) -> str:
        """`before → after: so much removed, added, unchanged`."""
        amounts = f"{self.removed} lines removed, {self.added} added, {self.kept} unchanged"
        return f"{self.before} → {self.after}: {amounts}"


def compare(
    before: str, after: str, context_lines: int = CONTEXT_LINES, root: Path = ROOT
) -> Change:
    """Compare two references as `cut` takes them; raises DocsError if one is gone."""
    old, new = (cut(reference, root).text.splitlines() for reference in (before, after))
    lines = list(difflib.unified_diff(old, new, before, after, n=context_lines, lineterm=""))
    removed = sum(line.startswith("-") for line in lines[2:])
    added = sum(line.startswith("+") for line in lines[2:])
    return Change(before, after, "\n".join(lines[2:]) + "\n", removed, added, len(new) - added)


def code_lines(pattern: str, root: Path = ROOT) -> int:
    """Lines that are neither blank nor comment in the Python files that match `pattern`."""
    files = [file for file in root.glob(pattern) if file.suffix == ".py"]
    lines = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)
