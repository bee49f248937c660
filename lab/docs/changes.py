"""The difference between two eras' files: what the reader must learn anew, and what vanished."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from lab.concerns.lines import python_code
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
        lines = "line" if self.removed == 1 else "lines"
        amounts = f"{self.removed} {lines} removed, {self.added} added, {self.kept} unchanged"
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


def code_lines(patterns: str, root: Path = ROOT) -> int:
    """Lines of code, without blank ones, comments and docstrings, in the files that match.

    patterns: globs from the root, separated by spaces; `!name` leaves files of this name out.
    """
    globs = patterns.split()
    left_out = [glob[1:] for glob in globs if glob.startswith("!")]
    files = {file for glob in globs if not glob.startswith("!") for file in root.glob(glob)}
    return sum(
        len(python_code(file.read_text("utf-8")))
        for file in files
        if not any(file.match(name) for name in left_out)
    )
