"""What a request to the operator's interface says: read strictly, refused by name.

JSON leaves open what a key that comes twice means, and readers differ: so it is refused, as is one
that nobody knows, lest a misspelt `base` overwrite what a colleague has just changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import flask
from werkzeug.exceptions import UnsupportedMediaType

KIND = "application/json"
MOST = 2**53  # the largest whole number that every JSON reader tells from its neighbours


class Misspoken(ValueError):
    """`key` of a body or a query; the message says what is accepted."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key} {problem}")
        self.key = key


def body(required: Mapping[str, type], optional: Mapping[str, type]) -> dict[str, Any]:
    """What the request's JSON object says. required, optional: by name, of which kind each is.

    Raises Misspoken, and UnsupportedMediaType if it says that it is no JSON.
    """
    if flask.request.mimetype != KIND:
        raise UnsupportedMediaType(f"accepted: Content-Type: {KIND}")
    kinds = {**required, **optional}
    table = _object(flask.request.get_data())
    _check_names(table, list(kinds))
    for name in required:
        if name not in table:
            raise Misspoken(name, "is missing")
    for name, value in table.items():
        _check_kind(name, value, kinds[name])
    return table


def query(*names: str) -> Mapping[str, str]:
    """What stands behind the `?`. Raises Misspoken."""
    given = flask.request.args
    _check_names(given, names)
    for name in given:
        if len(given.getlist(name)) > 1:
            raise Misspoken(name, "is said twice: accepted is each once")
    return given


def whole(said: Mapping[str, str], name: str, default: int, least: int, most: int = MOST) -> int:
    """A whole number of a query, `least` to `most`. said: what `query` gave. Raises Misspoken."""
    text = said.get(name, str(default))
    # int() alone takes `1_0`, and other peoples' digits
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        accepted = f"a whole number from {least} to {most}"
        raise Misspoken(name, f"is {text[:60]!r}: accepted is {accepted}")
    return int(text)


def seconds(said: Mapping[str, str], name: str, default: float, most: float) -> float:
    """Seconds of a query, 0 to `most`. said: what `query` gave. Raises Misspoken."""
    text = said.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= most:  # as no NaN is
        raise Misspoken(name, f"is {text[:60]!r}: accepted is a number from 0 to {most:g}")
    return value


def _object(raw: bytes) -> dict[str, Any]:
    try:
        table = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except Misspoken:
        raise
    except (ValueError, RecursionError) as error:  # no UTF-8, or no JSON
        raise Misspoken("the body", f"is no JSON: {error}") from error
    if not isinstance(table, dict):
        raise Misspoken("the body", "is no JSON object")
    return table


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise Misspoken("the body", "says a key twice: accepted is each once")
    return table


def _refuse(constant: str) -> None:
    raise Misspoken("the body", f"says {constant}, which JSON does not know")


def _check_names(given: Mapping[str, Any], accepted: Sequence[str]) -> None:
    for name in given:
        if name not in accepted:
            known = ", ".join(accepted) or "none"
            raise Misspoken(repr(name[:60]), f"is not known: accepted are {known}")


def _check_kind(name: str, value: object, kind: type) -> None:
    # bool is a subclass of int; a whole number will do for a float
    if type(value) is not kind and not (kind is float and type(value) is int):
        called = {str: "text", int: "a whole number", float: "a number"}[kind]
        raise Misspoken(name, f"is {repr(value)[:60]}: accepted is {called}")
    if isinstance(value, int | float) and not abs(value) <= MOST:
        raise Misspoken(name, f"is {repr(value)[:60]}: accepted is a number up to {MOST}")
