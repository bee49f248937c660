"""The byte cases as HTML: how many of each kind every proxy held, and what each did not."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lab.docs import CAPTURED, DocsError

RECORD = CAPTURED / "byte-cases.json"  # `python -m lab.hostile --json` writes it
CALLED = {"ours": "ours", "envoy": "Envoy", "nginx": "nginx", "haproxy": "HAProxy"}
HELD, SMUGGLED = "held", "smuggled"

Case = Mapping[str, Any]


def draw(title: str, path: Path = RECORD) -> str:
    """A row for each theme, and below, folded, each case that somebody did not hold.

    Raises DocsError if nothing was recorded, or a proxy that is compared was missing then.
    """
    if not path.is_file():
        raise DocsError(f"no {path.name}; `python -m lab.hostile --json` makes it")
    content = json.loads(path.read_text(encoding="utf-8"))
    missing = sorted(set(CALLED) - set(content["scores"]))
    if missing:
        raise DocsError(f"{path.name} was recorded without {', '.join(missing)}")
    cases = content["cases"]
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption>'
        f"{_table('figures narrow', ('kind of bytes', 'cases'), _themes(cases))}"
        '<p class="note">How many of them came out as the standards allow.</p>'
        f"{_all_that_broke(cases)}</figure>"
    )


def _themes(cases: Sequence[Case]) -> str:
    themes = dict.fromkeys(case["theme"] for case in cases)
    rows = [_counts(theme, [case for case in cases if case["theme"] == theme]) for theme in themes]
    return "".join([*rows, _counts("all", cases)])


def _counts(name: str, cases: Sequence[Case]) -> str:
    held = [sum(_held(case, proxy) for case in cases) for proxy in CALLED]
    cells = [f"<td>{each if each == len(cases) else f'<b>{each}</b>'}</td>" for each in held]
    return _row(name, [f"<td>{len(cases)}</td>", *cells])


def _all_that_broke(cases: Sequence[Case]) -> str:
    broke = [case for case in cases if not all(_held(case, name) for name in CALLED)]
    rows = "".join(
        _row(f"{case['name']} ({case['rfc']})", [_result(case, name) for name in CALLED])
        for case in broke
    )
    return (
        f"<details><summary>The {len(broke)} cases that somebody did not hold</summary>"
        f"{_table('promises', ('case',), rows)}</details>"
    )


def _held(case: Case, name: str) -> bool:
    return bool(case[name] == HELD)


def _result(case: Case, name: str) -> str:
    if _held(case, name):
        return '<td class="kept">held</td>'
    verdict = "<b>smuggled:</b> " if case[name] == SMUGGLED else ""
    return f'<td class="broken">{verdict}{escape(str(case.get(f"{name} why", "")))}</td>'


def _table(css: str, first: Sequence[str], rows: str) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in (*first, *CALLED.values()))
    return (
        f'<div class="wide"><table class="{css}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
