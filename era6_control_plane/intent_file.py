"""Reads an operator's intent: the whole text is checked before anybody is told a word of it.

How large it may be is counted before it is read, so that nonsense is refused at once: a megabyte
takes half a second, and no key has a hundred parts (TOML's reader takes them one by one, and each
time all those before).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from era4_framework import config_rules
from era4_framework.config_rules import ConfigError, not_accepted
from era5_sidecar.config_inbound import Rule
from era5_sidecar.config_lines import AT_LINE
from era6_control_plane import intent_rules
from era6_control_plane.intent import FaultIntent, Intent, RouteIntent
from era6_control_plane.intent_lines import line_of

MOST_BYTES = 2**20
MOST_LINE_LETTERS = 4096
MOST_DOTS = 100  # on one line
# What a terminal would obey, or would show in another order than it is read.
UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
LISTS = {"may": Rule, "routes": RouteIntent}


class IntentError(ConfigError):
    """What `key` on this line of an intent says cannot be used."""

    def __init__(self, name: str, line: int, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.name, self.line = name, line

    def __str__(self) -> str:
        return f"{self.name}, line {self.line}: {self.key} {self.problem}"


def read(text: str | bytes, name: str = "intent.toml") -> Intent:
    """What the text says, if all of it holds together; `name` is what errors call it.

    Raises IntentError, which tells the line, the key, its value and what is accepted.
    """
    plain = _plain(text, name)
    table = _parse(plain, name)
    try:
        intent = _intent(table)
        intent_rules.check(intent)
    except ConfigError as error:
        raise IntentError(name, line_of(plain, error.key), error.key, error.problem) from None
    return intent


def _plain(text: str | bytes, name: str) -> str:
    """The text as it can be shown to anybody. Raises IntentError."""
    # half a character of UTF-16, which JSON can bring, is put where it is found to be none
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    try:
        plain = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise IntentError(name, line, "the text", "is no UTF-8") from error
    if len(raw) > MOST_BYTES:
        problem = f"has {len(raw)} bytes: accepted are {MOST_BYTES}"
        raise IntentError(name, 1, "the text", problem)
    if found := UNREADABLE.search(plain):
        line = plain.count("\n", 0, found.start()) + 1
        problem = f"has the character U+{ord(found[0]):04X}: accepted is what can be seen"
        raise IntentError(name, line, "the text", problem)
    for line, each in enumerate(plain.split("\n"), start=1):
        if len(each) > MOST_LINE_LETTERS or each.count(".") > MOST_DOTS:
            accepted = f"accepted are {MOST_LINE_LETTERS} letters and {MOST_DOTS} dots on a line"
            raise IntentError(name, line, "the line", f"is too long: {accepted}")
    return plain


def _parse(plain: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(plain)
    except (ValueError, RecursionError) as error:
        lines = plain.split("\n")
        told = AT_LINE.search(str(error))
        line = int(told[1]) if told else len(lines)
        quoted = repr(lines[line - 1].strip()[:60])
        raise IntentError(name, line, quoted, f"is no TOML: {error}") from error


def _intent(table: dict[str, Any]) -> Intent:
    """era 4's reader knows no list of tables, and none that may be absent."""
    services = table.get("services")
    for name, service in services.items() if isinstance(services, Mapping) else ():
        for key, kind in LISTS.items() if isinstance(service, dict) else ():
            if key in service:
                service[key] = _read_all(kind, service[key], f"services.{name}.{key}")
    return config_rules.read(Intent, table)


def _read_all(kind: type[Any], listed: Any, where: str) -> list[Any]:
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise not_accepted(where, listed, f"a list of tables, [[{where}]]")
    intent_rules.check_length(listed, where)
    return [_read(kind, each, f"{where}[{number}]") for number, each in enumerate(listed)]


def _read(kind: type[Any], table: dict[str, Any], where: str) -> Any:
    if kind is RouteIntent and "fault" in table:
        if not isinstance(table["fault"], Mapping):
            raise not_accepted(f"{where}.fault", table["fault"], f"a table, [{where}.fault]")
        table["fault"] = config_rules.read(FaultIntent, table["fault"], f"{where}.fault")
    return config_rules.read(kind, table, where)
