"""From a file and its row of the table to the concern of each line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.concerns.lines import code_of
from lab.concerns.table import FileRules

IMPORT = "import"
Block = ast.stmt | ast.ExceptHandler | ast.match_case  # what has lines of its own, and inner ones
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_WITHS = (ast.With, ast.AsyncWith)


@dataclass
class Attribution:
    """line number -> concern, of every line of code that the table knows."""

    rules: FileRules
    code: Mapping[int, str]
    concern: dict[int, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # definitions and names that were found

    @property
    def unknown(self) -> dict[int, str]:
        """The lines of code that belong to nothing."""
        return {number: line for number, line in self.code.items() if number not in self.concern}

    @property
    def idle(self) -> list[str]:
        """What the table says of this file and does not meet any more."""
        names = {name for row in self.rules.names.values() for name in row}
        return sorted({*self.rules.whole, *self.rules.mostly, *names} - self.used)


def attribute(path: Path, rules: FileRules) -> Attribution:
    """Apply `rules` to the file at `path`."""
    found = Attribution(rules, code_of(path))
    if rules.concern:
        found.concern = dict.fromkeys(found.code, rules.concern)
        return found
    module = ast.parse(path.read_text(encoding="utf-8"))
    for statement in module.body:
        _visit(statement, "", "", found)
    return found


def _visit(node: Block, around: str, scope: str, found: Attribution) -> None:
    """`around`: the concern of what stands around this statement, "" if it has none."""
    symbol = f"{scope}.{_name(node)}".strip(".") if _name(node) else ""
    span = range(_first_line(node), _last_line(node) + 1)
    if symbol in found.rules.whole:
        found.used.add(symbol)
        _put(found, span, found.rules.whole[symbol])
        return
    if symbol in found.rules.mostly:
        found.used.add(symbol)
        around = found.rules.mostly[symbol]
    inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, Block)]
    covered = {line for each in inner for line in range(_first_line(each), _last_line(each) + 1)}
    own = [line for line in span if line not in covered and line in found.code]
    concern, scope = _own_concern(node, around, own, found), symbol or scope
    for line in own:
        named = "" if isinstance(node, _DEFINITIONS) else _by_names(found, [line])
        _put(found, [line], named or concern)
    for each in inner:
        _visit(each, around if isinstance(node, _WITHS) else concern, scope, found)


def _own_concern(node: Block, around: str, own: list[int], found: Attribution) -> str:
    """Of a statement as a whole, also of what stands in it; in a `with` it stands for itself."""
    if isinstance(node, _DEFINITIONS) and around:
        return around
    return _by_names(found, own[:1]) or around


def _put(found: Attribution, lines: range | list[int], concern: str) -> None:
    if concern:
        found.concern |= {line: concern for line in lines if line in found.code}


def _by_names(found: Attribution, lines: list[int]) -> str:
    text = "\n".join(found.code.get(line, "") for line in lines)
    for concern, names in found.rules.names.items():
        met = [name for name in names if _pattern(name).search(text)]
        found.used.update(met)
        if met:
            return concern
    return ""


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """A whole word, or, ending in a star, the beginning of one; a dash belongs to it."""
    stem = re.escape(name.removesuffix("*"))
    return re.compile(rf"(?<![\w-]){stem}" + ("" if name.endswith("*") else r"(?![\w-])"))


def _name(node: Block) -> str:
    if isinstance(node, _DEFINITIONS):
        return node.name
    return IMPORT if isinstance(node, (ast.Import, ast.ImportFrom)) else ""


def _first_line(node: Block) -> int:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorators: list[int] = [each.lineno for each in getattr(node, "decorator_list", [])]
    return min([node.lineno, *decorators])


def _last_line(node: Block) -> int:
    if isinstance(node, ast.match_case):
        return _last_line(node.body[-1])
    return node.end_lineno or node.lineno


def described(found: Attribution) -> Iterator[tuple[int, str, str]]:
    """Line number, concern or "", and the line, for whoever wants to see it."""
    for number, line in found.code.items():
        yield number, found.concern.get(number, ""), line
