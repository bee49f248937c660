"""What a configuration may hold, and how one is read: errors that tell the reader what to mend.

A refused configuration says which key, which value, and what is accepted. A key that nobody knows
is refused too, with the nearest one that is known: a misspelt timeout that is silently ignored is
found during the outage that it should have prevented.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Config = TypeVar("Config")


class ConfigError(ValueError):
    """The value of `key` cannot be used; the message says what is accepted instead."""

    def __init__(self, key: str, value: object, accepted: str) -> None:
        self.key = key
        self.value = value
        self.accepted = accepted
        super().__init__(f"{key} is {_shown(value)}: accepted is {accepted}")

    def within(self, table: str) -> ConfigError:
        """The same error, its key told from further outside: `cool_down_s` in `client.breaker`."""
        return ConfigError(_path(table, self.key), self.value, self.accepted)


def require_whole(config: object, key: str, least: int, most: int) -> None:
    """Raise ConfigError unless the value of `key` is an int from `least` to `most`."""
    value = getattr(config, key)
    # bool is a subclass of int: `attempts = true` would be one attempt
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(key, value, f"a whole number from {least} to {most}")


def require_number(config: object, key: str, least: float, most: float) -> None:
    """Raise ConfigError unless the value of `key` is an int or a float from `least` to `most`.

    As `most` is finite, so is what passes; a NaN fails every comparison.
    """
    value = getattr(config, key)
    if type(value) not in (int, float) or not least <= value <= most:
        raise ConfigError(key, value, f"a number from {least:g} to {most:g}")


def require_one_of(config: object, key: str, accepted: Sequence[str]) -> None:
    """Raise ConfigError unless the value of `key` is one of `accepted`."""
    value = getattr(config, key)
    if value not in accepted:
        raise ConfigError(key, value, " or ".join(map(repr, accepted)))


def require_that(holds: bool, config: object, key: str, accepted: str) -> None:
    """Raise ConfigError for `key` unless `holds`: a rule between several keys."""
    if not holds:
        raise ConfigError(key, getattr(config, key), accepted)


def from_toml(kind: type[Config], path: Path) -> Config:
    """Read a configuration of this `kind` (one of the dataclasses of config.py) from a TOML file.

    Raises ConfigError if it is no TOML, or says what is not accepted; OSError if it cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(str(path), "no TOML", f"TOML; {error}") from error
    return read(kind, table)


def read(kind: type[Config], table: Mapping[str, Any], where: str = "") -> Config:
    """Make a configuration of this `kind` from a table; what it does not say has its default.

    where: the table's place in the whole, for errors. Raises ConfigError.
    """
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise ConfigError(_path(where, key), "an unknown key", _nearest(key, list(hints)))
    given = {key: _read_as(hints[key], table[key], _path(where, key)) for key in table}
    try:
        return kind(**given)
    except ConfigError as error:
        raise error.within(where) from None


def _read_as(hint: Any, value: Any, where: str) -> Any:
    """The value as a field of type `hint` holds it; plain values are judged by the dataclass."""
    if dataclasses.is_dataclass(hint):
        return read(hint, _table(value, where), where)
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(value)
    if get_origin(hint) is Mapping:
        _, of = get_args(hint)
        table = _table(value, where)
        return {key: _read_as(of, table[key], _path(where, key)) for key in table}
    return value


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(where, value, f"a table: [{where}]")
    return value


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    meant = f" (nearest: {close[0]})" if close else ""
    return f"one of {', '.join(known)}{meant}"


def _path(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
