"""On which line of an intent does a key stand? Told in one pass, as an intent may be long.

Era 5 finds a line by reading ever less of its file, which is fine for a hundred lines. An intent
may have thousands: here the text is cut into statements, each a header or a key with its value,
and only those that could be meant are looked into.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{1,2})?'  # up to two quotes may stand before the last three
    r"|'''.*?'''(?:'{1,2})?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{},\n]",
    re.DOTALL,
)
NAME = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^="'])*""")  # all of a key, up to its `=`
SPACE = re.compile(r"(?:\s|#[^\n]*\n)*")
INDEX = re.compile(r"\[(\d+)\]")

# As errors name it, from the outermost table to the innermost: `a`, `a.b`, `a.b[0]`. A name may
# contain dots, so no key can be taken apart again.
Path = tuple[str, ...]


def line_of(text: str, key: str) -> int:
    """Where `key`, as ConfigError names it, stands; if it is missing, where its table begins.

    The text must be TOML, its lines ended by a single line feed.
    """
    wanted, best, line = _shorter(key), 0, 1
    table: Path = ("",)
    counted = dict[str, int]()
    for at, statement in statements(text):
        if statement.startswith("["):
            path = table = _entered(statement, counted)
        elif table[-1] and not _is_within(key, table[-1]):
            continue
        else:
            names = _names(NAME.match(statement)[0] + "= 0")  # type: ignore[index]
            path = _extended(table, names)
        if (told := _common(wanted, path)) > best:
            best, line = told, at + _further(statement, key.removeprefix(path[-1]))
        if best == len(key):
            break
    return line


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Headers and keys with their values, and on which line each begins."""
    begin, line, lines, depth = 0, 1, 1, 0
    for token in TOKEN.finditer(text):
        found = token[0]
        depth += (found in "[{") - (found in "]}")
        lines += found.count("\n")
        if found != "\n" or depth:
            continue
        yield from _piece(line, text[begin : token.start()])
        begin, line = token.end(), lines
    yield from _piece(line, text[begin:])


def _piece(line: int, text: str) -> Iterator[tuple[int, str]]:
    piece = text.strip()
    if piece and not piece.startswith("#"):
        yield line, piece


def _entered(header: str, counted: dict[str, int]) -> Path:
    """The table that begins here; elements of lists have a number."""
    names, is_list = _header(header)
    path: Path = ("",)
    for depth, name in enumerate(names, start=1):
        path = _extended(path, [name])
        if is_list and depth == len(names):
            counted[path[-1]] = counted.get(path[-1], -1) + 1
        if path[-1] in counted:
            path = (*path, f"{path[-1]}[{counted[path[-1]]}]")
    return path


@cache
def _header(header: str) -> tuple[tuple[str, ...], bool]:
    return tuple(_names(header)), header.startswith("[[")


def _names(statement: str) -> Iterator[str]:
    """The parts of a key, or of a header."""
    table: Any = tomllib.loads(statement)
    while isinstance(table, dict) and table:
        [(name, table)] = table.items()
        table = table[0] if isinstance(table, list) else table
        yield name


def _extended(path: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = (*path, f"{path[-1]}.{name}" if path[-1] else name)
    return path


def _shorter(key: str) -> Sequence[str]:
    """The key and all tables around it, the longest first."""
    found = [key]
    while key := key[: max(key.rfind("."), key.rfind("["), 0)]:
        found.append(key)
    return found


def _common(wanted: Sequence[str], path: Path) -> int:
    """How many letters of the longest of `wanted` a statement about `path` tells of."""
    if _is_within(wanted[0], path[-1]):
        return len(path[-1])
    return next((len(each) for each in wanted if each in path), 0)


def _is_within(key: str, table: str) -> bool:
    return key.startswith((f"{table}.", f"{table}["))


def _further(statement: str, rest: str) -> int:
    """How many lines below its first a statement has `rest`, an element of its list."""
    index = INDEX.match(rest)
    if index is None or "\n" not in statement:
        return 0
    depth = commas = 0
    for token in TOKEN.finditer(statement):
        depth += (token[0] in "[{") - (token[0] in "]}")
        commas += depth == 1 and token[0] == ","
        if depth and commas == int(index[1]):
            begin = SPACE.match(statement, token.end())
            return statement.count("\n", 0, begin.end() if begin else token.end())
    return 0
