"""Cut code out of a source file by the name of what it defines, so that pages cannot go stale.

A reference is a path from the root of the repository and, after a colon, what to take of it:

    era1_raw_network/rtt.py                      the whole file
    era1_raw_network/rtt.py:Estimator.sample     a function, a class or a method, with its comments
    era1_raw_network/rtt.py:ALPHA                a constant
    era1_raw_network/connection.py:WINDOW..BURST everything from one definition to another
    era1_raw_network/rtt.py:__doc__              the text of the module's docstring
"""

import ast
import textwrap
from dataclasses import dataclass
from pathlib import Path

from lab.docs import ROOT, DocsError


@dataclass(frozen=True)
class Cut:
    """A piece of a file. `first_line` counts from 1."""

    path: str
    symbol: str
    first_line: int
    text: str

    @property
    def title(self) -> str:
        """What stands above the code: where it is."""
        return f"{self.path}, line {self.first_line}" if self.first_line > 1 else self.path


def cut(reference: str, root: Path = ROOT) -> Cut:
    """Cut what `reference` names; raises DocsError if the file or the definition is gone."""
    path, _, symbol = reference.partition(":")
    source = read_source(path, root)
    if not symbol:
        return Cut(path, "", 1, source)
    tree = ast.parse(source)
    if symbol == "__doc__":
        text = ast.get_docstring(tree)
        if not text:
            raise _gone(path, symbol, tree.body)
        return Cut(path, symbol, 1, text)
    begin, _, end = symbol.partition("..")
    lines = source.splitlines()
    first = _span(lines, _find(path, begin, tree))[0]
    last = _span(lines, _find(path, end or begin, tree))[1]
    if last < first:
        raise DocsError(f"{path}: {end} stands before {begin}")
    return Cut(path, symbol, first, textwrap.dedent("\n".join(lines[first - 1 : last])) + "\n")


def constant(reference: str, root: Path = ROOT) -> str:
    """The right-hand side of the constant that `reference` names, as it is written."""
    path, _, symbol = reference.partition(":")
    source = read_source(path, root)
    tree = ast.parse(source)
    for node in ast.walk(_find(path, symbol, tree)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [getattr(target, "id", "") for target in node.targets[0].elts]
            values = getattr(node.value, "elts", [])
            return ast.get_source_segment(source, values[names.index(symbol)]) or ""
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
            return ast.get_source_segment(source, node.value) or ""
    raise DocsError(f"{reference} is no constant")


def read_source(path: str, root: Path = ROOT) -> str:
    """The text of a file of the repository; raises DocsError if there is none."""
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        raise DocsError(f"no file {path!r} in the repository")
    return file.read_text(encoding="utf-8")


def _find(path: str, symbol: str, tree: ast.Module) -> ast.stmt:
    body: list[ast.stmt] = tree.body
    found: ast.stmt | None = None
    for name in symbol.split("."):
        found = next((node for node in body if name in _names(node)), None)
        if found is None:
            raise _gone(path, name, body)
        body = getattr(found, "body", [])
    assert found is not None  # noqa: S101 (split gives at least one name)
    return found


def _gone(path: str, name: str, body: list[ast.stmt]) -> DocsError:
    there = ", ".join(other for node in body for other in _names(node))
    return DocsError(f"{path} defines no {name!r} there; it defines {there}")


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        targets = [name for target in node.targets for name in ast.walk(target)]
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        targets = list(ast.walk(node.target))
    else:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _span(lines: list[str], node: ast.stmt) -> tuple[int, int]:
    """First and last line, with decorators and the comment that stands directly above."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first, node.end_lineno or node.lineno
