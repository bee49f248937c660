"""On which line of a TOML file does a key stand? tomllib does not tell; reading less of it does.

A key stands where the file, read up to there, has it for the first time. What ends in the middle of
a value cannot be read, and keys never go away again, so the place is found by halving.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from era4_framework.config_rules import ConfigError

MOST_BYTES = 65536
MOST_LINES = 2000
AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
INDEX = re.compile(r"\[(\d+)\]\.?(.*)")


class ConfigFileError(ConfigError):
    """What `key` on this line of a file says cannot be used. Line 0: there is none."""

    def __init__(self, path: Path, line: int, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.path, self.line = path, line

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else str(self.path)
        return f"{where}: {self.key} {self.problem}"


def contents(path: Path) -> bytes:
    """What is in the file now. Raises ConfigFileError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigFileError(path, 0, "the file", f"cannot be read: {error.strerror}") from error


def parse(path: Path, raw: bytes | None = None) -> tuple[dict[str, Any], str]:
    """What a TOML file says, and its text. Raises ConfigFileError.

    raw: what was in it when it was read, if it was.
    """
    raw = contents(path) if raw is None else raw
    if len(raw) > MOST_BYTES or raw.count(b"\n") > MOST_LINES:
        accepted = f"accepted are {MOST_BYTES} bytes and {MOST_LINES} lines"
        raise ConfigFileError(path, MOST_LINES, "the file", f"is too long: {accepted}")
    try:
        text = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigFileError(path, line, "the text", "is no UTF-8") from error
    try:
        return tomllib.loads(text), text
    except (ValueError, RecursionError) as error:
        lines = text.split("\n")
        told = AT_LINE.search(str(error))
        line = int(told[1]) if told else len(lines)
        quoted = repr(lines[line - 1].strip()[:60])
        raise ConfigFileError(path, line, quoted, f"is no TOML: {error}") from error


def line_of(text: str, key: str) -> int:
    """Where `key`, as ConfigError names it, stands; if it is missing, where its table begins."""
    lines = text.split("\n")
    whole = tomllib.loads(text)
    while key and not _has(whole, key):
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    if not key:
        return 1
    without, end = 0, len(lines)
    while without + 1 < end:
        middle = (without + end) // 2
        read, table = _longer(lines, middle, end)
        if table is None or _has(table, key):
            end = middle
        else:
            without = read
    return without + 1


def _longer(lines: Sequence[str], least: int, end: int) -> tuple[int, dict[str, Any] | None]:
    """The first lines, `least` or as few more as can be read; None: nothing before `end` can."""
    for count in range(least, end):
        try:
            return count, tomllib.loads("\n".join(lines[:count]))
        except (ValueError, RecursionError):
            continue  # in the middle of a value
    return end, None


def _has(value: Any, key: str) -> bool:
    if not key:
        return True
    if isinstance(value, list):
        index = INDEX.fullmatch(key)
        if index is None or int(index[1]) >= len(value):
            return False
        return _has(value[int(index[1])], index[2])
    if not isinstance(value, Mapping):
        return False
    # a name may itself contain dots, so the key is compared and not split
    return any(
        _has(inner, key[len(name) :].removeprefix("."))
        for name, inner in value.items()
        if key == name or key.startswith((f"{name}.", f"{name}["))
    )
