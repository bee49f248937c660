"""A table as TOML: what `tomllib` reads, written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_of(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """The text of a table: its values, then the tables in it. `path` leads to it."""
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    text = f"[{'.'.join(map(_key, path))}]\n" if path and (values or not table) else ""
    text += "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())
    for key, value in table.items():
        if isinstance(value, Mapping):
            text += "\n" + toml_of(value, (*path, key))
    return text


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(inner)}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # a JSON string, number or boolean is one of TOML as well
