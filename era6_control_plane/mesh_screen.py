"""What the operator's command shows to people: plain text, columns that stand under each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Told = Mapping[str, Any]
IN_STEP, NOT_ASKED = "=", "-"
SHORT = 6  # letters of a version: enough to see that two differ
MOST_TOLD = 20  # changes of a revision in the history


def plain(text: str) -> str:
    """The text, and nothing that a terminal would obey: what a proxy refuses, it words itself."""
    return "".join("?" if _is_command(each) else each for each in text)


def _is_command(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "C" and letter not in "\n\t"


def revision(told: Told) -> str:
    """Which one, by whom, when, why."""
    note = f": {told['note']}" if told["note"] else ""
    return plain(f"revision {told['revision']}, {told['at']} by {told['who']}{note}")


def applied(told: Told) -> str:
    """What came of a wish."""
    if not told.get("is_new", True):
        return f"revision {told['revision']} says just this; nothing has changed"
    words = told["changes"] or ["nothing that anybody obeys: a comment, or the order of tables"]
    return plain("\n".join([f"revision {told['revision']}", *(f"  {each}" for each in words)]))


def difference(told: Told) -> str:
    """Lines, then words."""
    if not told["text"]:
        return "the same"
    words = told["changes"] or ["nothing that anybody obeys"]
    return plain("\n".join([told["text"], *words]))


def history(told: Told) -> str:
    """The newest first."""
    return "\n".join(line for each in told["revisions"] for line in _remembered(each))


def _remembered(told: Told) -> Iterator[str]:
    yield revision(told)
    for each in told["changes"][:MOST_TOLD]:
        yield plain(f"    {each}")
    if (more := len(told["changes"]) - MOST_TOLD) > 0:
        yield f"    and {more} more"


def status(told: Told) -> str:
    """Nodes and what they know, who can be asked, the authorities."""
    nodes = told["nodes"]
    connected = sum(bool(each["connected"]) for each in nodes)
    parts = [f"revision {told['revision']}; {len(nodes)} nodes, {connected} connected"]
    kinds = sorted({kind for each in nodes for kind in each["types"]})
    if nodes:
        head = ["NODE", "SERVICE", "VERSION", "DATA PLANE", "CONNECTED", *kinds]
        parts += ["", *_table([head, *(_node(each, kinds) for each in nodes)])]
        parts += _refusals(nodes)
    if told.get("endpoints"):
        parts += ["", *_table([["INSTANCE", "SERVICE", "VERSION", "URL", "AGE"], *_places(told)])]
    if told.get("authorities"):
        parts += ["", _authorities(told["authorities"])]
    return plain("\n".join(parts))


def obedience(told: Told) -> str:
    """Who has done what was wanted, and who has not."""
    nodes = [each for each in told["nodes"] if each["connected"]]
    late = [each["node"] for each in nodes if not _is_in_step(each) and not any(_told_off(each))]
    done = sum(_is_in_step(each) for each in nodes)
    lines = [f"obeyed by {done} of {len(nodes)} nodes", *_refusals(nodes)]
    if late:
        lines.append(f"not yet by {', '.join(late)}")
    return plain("\n".join(lines))


def is_obeyed(told: Told) -> bool:
    """Whether every node that is connected has taken what it was told."""
    return all(_is_in_step(each) for each in told["nodes"] if each["connected"])


def _is_in_step(node: Told) -> bool:
    return all(_step(each) == IN_STEP for each in node["types"].values())


def _told_off(node: Told) -> Iterator[str]:
    for kind, each in node["types"].items():
        if each.get("refused"):
            words = " ".join(str(each["refused"]).split())  # no line that looks like ours
            yield f"{node['node']} refused {kind}: {words}"


def _refusals(nodes: Sequence[Told]) -> list[str]:
    return [line for node in nodes for line in _told_off(node)]


def _node(told: Told, kinds: Sequence[str]) -> list[str]:
    steps = [_step(told["types"][kind]) if kind in told["types"] else NOT_ASKED for kind in kinds]
    is_there = "yes" if told["connected"] else "no"
    names = (told["node"], told["service"], told["version"], told["data_plane"])
    return [*(str(each or NOT_ASKED) for each in names), is_there, *steps]


def _step(told: Told) -> str:
    """`=`: it has what it is to have; else what it has, and what it should."""
    if told["desired"] == told["acknowledged"] and not told.get("refused"):
        return IN_STEP
    has, wants = (str(told[key] or NOT_ASKED)[:SHORT] for key in ("acknowledged", "desired"))
    return f"{has}/{wants}" + ("!" if told.get("refused") else "")


def _places(told: Told) -> Iterator[list[str]]:
    for each in told["endpoints"]:
        names = (each["instance"], each["service"], each["version"] or NOT_ASKED, each["url"])
        yield [*map(str, names), f"{each['age_s']:.0f} s"]


def _authorities(told: Told) -> str:
    """How far a rotation has come, and who has yet to take part in it."""
    parts = [f"authorities: {told['stage']}"]
    if told.get("signing"):
        trusted = len(told.get("authorities", ()))
        parts.append(f"{told['signing'][:SHORT]} signs, {trusted} trusted")
    if told.get("waits_for"):
        parts.append(f"waiting for {', '.join(map(str, told['waits_for']))}")
    return ", ".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pairs = (zip(row, widths, strict=True) for row in rows)
    return ["  ".join(cell.ljust(width) for cell, width in each).rstrip() for each in pairs]
