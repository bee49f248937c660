"""The difference between two eras' files: what the reader must learn anew, and what vanished."""

import ast
import difflib
import io
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from lab.docs import ROOT
from lab.docs.cut import cut

CONTEXT_LINES = 2
NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


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
        len(_code_lines(file.read_text("utf-8")))
        for file in files
        if not any(file.match(name) for name in left_out)
    )


def _code_lines(source: str) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if _is_docstring(node):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    is_value = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_value and isinstance(node.value.value, str)  # type: ignore[attr-defined]
