"""Which lines of a file are code: no blank ones, no comments, no docstrings."""

import ast
import io
import tokenize
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
COMMENTS = {".mjs": "//", ".lua": "--", ".toml": "#"}  # whole lines of it are no code


def code_of(path: Path) -> Mapping[int, str]:
    """Line number -> what stands there, comments taken away; numbers count from 1."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return python_code(source)
    stripped = enumerate(map(str.strip, source.splitlines()), 1)
    mark = COMMENTS[path.suffix]
    return {number: line for number, line in stripped if line and not line.startswith(mark)}


@lru_cache(maxsize=1024)  # a site asks for the same hundreds of files on page after page
def python_code(source: str) -> Mapping[int, str]:
    """The same for the text of a Python module."""
    text = source.splitlines()
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            text[row - 1] = text[row - 1][:column]
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if _is_docstring(node):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return MappingProxyType({number: text[number - 1].rstrip() for number in sorted(lines)})


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    is_value = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_value and isinstance(node.value.value, str)  # type: ignore[attr-defined]
