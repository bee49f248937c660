"""What a value must be. Refusals name the field, the value, and what is accepted."""

import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_ID = 64
LONGEST_TEXT = 2_000
MOST_AT_ONCE = 1_000
MOST_STOCK = 2**31 - 1  # far from SQLite's 2**63 - 1, so that no sum ever leaves its range

ORDER_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ID - 1}}}")


def _is_whole(value: object, least: int, most: int) -> bool:
    # not isinstance: True is an int to Python, but nobody orders True teapots
    return type(value) is int and least <= value <= most


def _is_text(value: object, longest: int) -> bool:
    # printable also keeps out lone surrogates, which JSON allows and UTF-8 (and SQLite) does not
    return isinstance(value, str) and 1 <= len(value) <= longest and value.isprintable()


Rule = tuple[Callable[[Any], bool], str]

REQUEST: Mapping[str, Rule] = {
    "order_id": (
        # a letter or digit first: `.` and `..` would vanish from a URL's path (RFC 3986, 5.2.4)
        lambda value: isinstance(value, str) and ORDER_ID.fullmatch(value) is not None,
        f"1 to {LONGEST_ID} of A-Z a-z 0-9 . _ -, a letter or digit first",
    ),
    "sku": (
        lambda value: _is_text(value, LONGEST_ID),
        f"text of 1 to {LONGEST_ID} printable characters",
    ),
    "quantity": (
        lambda value: _is_whole(value, 1, MOST_AT_ONCE),
        f"a whole number from 1 to {MOST_AT_ONCE}",
    ),
}

PRODUCT: Mapping[str, Rule] = {
    "sku": REQUEST["sku"],
    "name": (
        lambda value: _is_text(value, LONGEST_TEXT),
        f"text of 1 to {LONGEST_TEXT} printable characters",
    ),
    "description": (
        lambda value: _is_text(value, LONGEST_TEXT),
        f"text of 1 to {LONGEST_TEXT} printable characters",
    ),
    "price_cents": (
        lambda value: _is_whole(value, 0, MOST_STOCK),
        f"a whole number from 0 to {MOST_STOCK}",
    ),
    "stock": (
        lambda value: _is_whole(value, 0, MOST_STOCK),
        f"a whole number from 0 to {MOST_STOCK}",
    ),
}


def mistake(fields: Mapping[str, Any], rules: Mapping[str, Rule]) -> tuple[str, str] | None:
    """The first field that breaks its rule and what is wrong with it; None if all is well."""
    for name, (holds, accepted) in rules.items():
        value = fields.get(name)
        if not holds(value):
            return name, f"{name} is {brief(value)}; accepted: {accepted}"
    return None


def brief(value: object) -> str:
    """A value as an error may show it: recognisable, and never longer than a line."""
    told = reprlib.repr(value)
    too_long = isinstance(value, str | bytes) and len(value) > len(told)
    return f"{told} ({len(value)} long)" if too_long else told  # type: ignore[arg-type]
