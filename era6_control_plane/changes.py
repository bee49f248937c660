"""What one intent changes in another: in words, key by key, and line by line.

Lines tell what was typed, words what it means: a comment changes no word, and a route keeps its
name, which is what it fits, when another one is put before it.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from era5_sidecar.config_inbound import Rule
from era6_control_plane.intent import Intent, MeshIntent, RouteIntent, ServiceIntent

MOST_TOLD = 500
MOST_MATCHED = 3000
MATCH = ("headers", "method", "path")  # what a route fits; the rest is what becomes of a request


def changes(old: Intent | None, new: Intent) -> list[str]:
    """What `new` changes in `old` (None: there was none), one line each.

    As `services.inventory.client.retry.attempts: 3 -> 2`; empty: both mean the same.
    """
    told = [*_values("mesh", old.mesh if old else MeshIntent(), new.mesh)]
    before = old.services if old else {}
    for name in {**before, **new.services}:
        where = f"services.{name}"
        if name in before and name in new.services:
            told += _service(where, before[name], new.services[name])
        else:
            told.append(f"{where}: {'new' if name in new.services else 'gone'}")
    more = len(told) - MOST_TOLD
    return [*told[:MOST_TOLD], f"and {more} more"] if more > 0 else told


def text_diff(old: str, new: str, old_name: str, new_name: str) -> str:
    """A unified diff of two intents' texts; empty: they are the same. old_name, new_name: as shown.

    Where they differ in more than MOST_MATCHED lines, all of these are gone and come again: to
    match them would take time with the square of their number.
    """
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ""
    alike = _alike(before, after)
    until = _alike(before[alike:][::-1], after[alike:][::-1])
    differ = max(len(before), len(after)) - alike - until
    if differ <= MOST_MATCHED:
        lines = difflib.unified_diff(before, after, old_name, new_name, lineterm="")
        return "".join(f"{line}\n" for line in lines)
    gone, come = before[alike : len(before) - until], after[alike : len(after) - until]
    place = f"@@ -{alike + 1},{len(gone)} +{alike + 1},{len(come)} @@"
    removed, added = [f"-{line}" for line in gone], [f"+{line}" for line in come]
    told = [f"--- {old_name}", f"+++ {new_name}", place, *removed, *added]
    return "".join(f"{line}\n" for line in told)


def _alike(before: Sequence[str], after: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    pairs = enumerate(zip(before, after, strict=False))
    most = min(len(before), len(after))
    return next((number for number, (old, new) in pairs if old != new), most)


def _service(where: str, old: ServiceIntent, new: ServiceIntent) -> Iterator[str]:
    for field in dataclasses.fields(ServiceIntent):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name == "may":
            yield from _named(f"{where}.may", _rules(before), _rules(after))
        elif field.name == "routes":
            yield from _named(f"{where}.routes", _routes(before), _routes(after))
        else:
            yield from _values(f"{where}.{field.name}", before, after)


def _rules(rules: Sequence[Rule]) -> Mapping[str, object]:
    """Who may do what; the order of rules, and how many tell it, mean nothing."""
    callers: dict[str, set[str]] = {}
    for rule in rules:
        callers.setdefault(f"{rule.method} {rule.path}", set()).update(rule.callers)
    return {asked: tuple(sorted(who)) for asked, who in callers.items()}


def _routes(routes: Sequence[RouteIntent]) -> Mapping[str, object]:
    return {_label(route): route for route in routes}


def _label(route: RouteIntent) -> str:
    having = [f"{name.lower()}: {value}" for name, value in sorted(route.headers.items())]
    return ", ".join([f"{route.method} {route.path}", *having])


def _named(where: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    places = {name: f"place {place}" for place, name in enumerate(new, start=1)}
    for name in {**old, **new}:
        there = f"{where}[{name}]"
        if name not in new:
            yield f"{there}: gone"
        elif name not in old:
            place = f" at {places[name]}" if where.endswith("routes") else ""
            yield f"{there}: new{place}, {_shown(new[name])}"
        else:
            yield from _values(there, old[name], new[name])
    kept = [[name for name in each if name in old and name in new] for each in (old, new)]
    if where.endswith("routes") and kept[0] != kept[1]:
        yield f"{where}: in another order"


def _values(where: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if dataclasses.is_dataclass(old) and type(old) is type(new):
        for field in dataclasses.fields(old):
            if field.name not in MATCH or not isinstance(old, RouteIntent):
                there = f"{where}.{field.name}"
                yield from _values(there, getattr(old, field.name), getattr(new, field.name))
    elif isinstance(old, Mapping) and any(map(dataclasses.is_dataclass, {**old, **new}.values())):
        for name in {**old, **new}:
            yield from _values(f"{where}.{name}", old.get(name), new.get(name))
    else:
        yield f"{where}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None or value == () or value == {}:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(each)}" for name, each in value.items()) + "}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said = [field for field in dataclasses.fields(value) if _is_said(value, field)]
        shown = [f"{field.name} {_shown(getattr(value, field.name))}" for field in said]
        return ", ".join(shown) or "to any"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_said(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether it differs from its default, and is not part of the name already."""
    if isinstance(value, RouteIntent) and field.name in MATCH:
        return False
    if field.default_factory is not dataclasses.MISSING:
        return bool(getattr(value, field.name) != field.default_factory())
    return bool(getattr(value, field.name) != field.default)
