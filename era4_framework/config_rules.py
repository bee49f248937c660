"""What a configuration may hold, and how one is read: errors that tell the reader what to mend.

A refused configuration says which key, which value, and what is accepted. A key that nobody knows
is refused too, with the nearest one that is known: a misspelt timeout that is silently ignored is
found during the outage that it should have prevented.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Config = TypeVar("Config", bound=Dataclass)

LONGEST_QUOTE = 60


class ConfigError(ValueError):
    """What `key` says cannot be used; the message says which value, and what is accepted."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(f"{key} {problem}")

    def within(self, table: str) -> ConfigError:
        """The same error, its key told from further outside: `cool_down_s` in `client.breaker`."""
        return ConfigError(_path(table, self.key), self.problem)


def not_accepted(key: str, value: object, accepted: str) -> ConfigError:
    """The error to raise for a value; a long one is quoted in part."""
    text = repr(value)
    shown = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 3]}..."
    return ConfigError(key, f"is {shown}: accepted is {accepted}")


def require_whole(config: object, key: str, least: int, most: int) -> None:
    """Raise ConfigError unless the value of `key` is an int from `least` to `most`."""
    value = getattr(config, key)
    # bool is a subclass of int: `attempts = true` would be one attempt
    if type(value) is not int or not least <= value <= most:
        raise not_accepted(key, value, f"a whole number from {least} to {most}")


def require_number(config: object, key: str, least: float, most: float) -> None:
    """Raise ConfigError unless the value of `key` is an int or a float from `least` to `most`.

    As `most` is finite, so is what passes; a NaN fails every comparison.
    """
    value = getattr(config, key)
    if type(value) not in (int, float) or not least <= value <= most:
        raise not_accepted(key, value, f"a number from {least:g} to {most:g}")


def require_one_of(config: object, key: str, accepted: Sequence[str]) -> None:
    """Raise ConfigError unless the value of `key` is one of `accepted`."""
    value = getattr(config, key)
    if value not in accepted:
        raise not_accepted(key, value, " or ".join(map(repr, accepted)))


def require_that(holds: bool, config: object, key: str, accepted: str) -> None:
    """Raise ConfigError for `key` unless `holds`: a rule between several keys."""
    if not holds:
        raise not_accepted(key, getattr(config, key), accepted)


def require_known(table: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Raise ConfigError unless all `names` in a table are among the known ones."""
    for name in names:
        if name not in known:
            raise ConfigError(f"{table}.{name}", f"is not known: {_known(name, known)}")


def from_toml(kind: type[Config], path: Path) -> Config:
    """Read a configuration of this `kind` (one of the dataclasses of config.py) from a TOML file.

    Raises ConfigError if it is no TOML, or says what is not accepted; OSError if it cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(str(path), f"is no TOML: {error}") from error
    return read(kind, table)


def read(kind: type[Config], table: Mapping[str, Any], where: str = "") -> Config:
    """Make a configuration of this `kind` from a table; what it does not say has its default.

    where: the table's place in the whole, for errors. Raises ConfigError.
    """
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise ConfigError(_path(where, key), f"is not known: {_known(key, list(hints))}")
    for field in dataclasses.fields(kind):
        if field.name not in table and _must_be_said(field):
            raise ConfigError(_path(where, field.name), "is missing: it has no default")
    given = {key: _read_as(hints[key], table[key], _path(where, key)) for key in table}
    try:
        return kind(**given)
    except ConfigError as error:
        raise error.within(where) from None


def _must_be_said(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _read_as(hint: Any, value: Any, where: str) -> Any:
    """The value as a field of type `hint` holds it; plain values are judged by the dataclass."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
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
        raise not_accepted(where, value, f"a table, [{where}]")
    return value


def _known(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    nearest = f"; {close[0]} is the nearest" if close else ""
    return f"accepted are {', '.join(known)}{nearest}"


def _path(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key
