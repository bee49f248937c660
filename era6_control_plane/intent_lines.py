"""On which line of an intent does a key stand? Told in one pass, as an intent may be long.

Era 5 finds a line by reading ever less of its file, which is fine for a hundred lines. An intent
may have thousands: here the text is cut into statements, each a header or a key with its value,
and only those that could be meant are looked into.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
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


def line_of(text: str, key: str) -> int:
    """Where `key`, as ConfigError names it, stands; if it is missing, where its table begins.

    The text must be TOML, its lines ended by a single line feed.
    """
    wanted, best, line = _shorter(key), 0, 1
    table, counted = "", dict[str, int]()
    for at, statement in statements(text):
        if statement.startswith("["):
            path = table = _entered(statement, counted)
        elif table and not _is_within(key, table):
            continue
        else:
            path = _joined(table, *_names(NAME.match(statement)[0] + "= 0"))  # type: ignore[index]
        if (told := _common(wanted, path)) > best:
            best, line = told, at + _further(statement, key.removeprefix(path))
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


def _entered(header: str, counted: dict[str, int]) -> str:
    """The table that begins here, as an error names it: elements of lists have a number."""
    names, is_list = _header(header)
    path = ""
    for depth, name in enumerate(names, start=1):
        path = _joined(path, name)
        if is_list and depth == len(names):
            counted[path] = counted.get(path, -1) + 1
        if path in counted:
            path = f"{path}[{counted[path]}]"
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


def _joined(table: str, *names: str) -> str:
    return ".".join((table, *names) if table else names)


def _shorter(key: str) -> Sequence[str]:
    """The key and all tables around it, the longest first."""
    found = [key]
    while key := key[: max(key.rfind("."), key.rfind("["), 0)]:
        found.append(key)
    return found


def _common(wanted: Sequence[str], path: str) -> int:
    """How many letters of the longest of `wanted` a statement about `path` tells of."""
    key = wanted[0]
    if key != path and _is_within(key, path):
        return len(path)
    return next((len(each) for each in wanted if path == each or _is_within(path, each)), 0)


def _is_within(key: str, table: str) -> bool:
    # a name may itself contain dots, so the whole is compared and not its parts
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
