"""The table of promises as HTML: which era keeps which, and why one does not."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lab.docs import DocsError


def draw(content: Mapping[str, Any], eras: Sequence[str] = ()) -> str:
    """Draw what the last run of tests/promises wrote: rows of claims, a column for each era.

    Where a column is no era by number it stands for what an era was run with, by its name.

    eras: only these columns, and only rows that one of them keeps or breaks. Raises DocsError for
    an era that was never asked.
    """
    promises = content["promises"]
    asked = sorted({era for promise in promises for era in promise["eras"]})
    shown = list(eras) or asked
    unknown = [era for era in shown if era not in asked]
    if unknown:
        raise DocsError(f"the table has no era {unknown[0]!r}; it has {', '.join(asked)}")
    head = "".join(f'<th scope="col">{escape(_heading(era))}</th>' for era in shown)
    rows = "".join(_row(each, shown) for each in promises if _says_something(each, shown))
    return (
        '<div class="wide"><table class="promises"><thead><tr><th scope="col">promise</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _heading(era: str) -> str:
    return f"era {era}" if era.isdecimal() else era


def _says_something(promise: Mapping[str, Any], eras: Sequence[str]) -> bool:
    forms = [found for era in eras for found in promise["eras"].get(era, {}).values()]
    return any(found["kept"] is not None for found in forms)


def _row(promise: Mapping[str, Any], eras: Sequence[str]) -> str:
    cells = "".join(_cell(promise["eras"].get(era, {})) for era in eras)
    return f'<tr><th scope="row">{escape(promise["claim"])}</th>{cells}</tr>'


def _cell(forms: Mapping[str, Any]) -> str:
    """One era; where the forms of the wire differ, each says its own."""
    told: dict[str, list[str]] = {}
    for form, found in forms.items():
        if found["kept"] is not None:
            told.setdefault(_words(found), []).append(form)
    if not told:
        why = next((found["why"] for found in forms.values()), "not asked")
        return f'<td class="unknown">does not apply: {escape(why)}</td>'
    css = "kept" if list(told) == [_words({"kept": True})] else "broken"
    if len(told) == 1:
        return f'<td class="{css}">{next(iter(told))}</td>'
    said = "<br>".join(f"{words} <i>(wire: {', '.join(on)})</i>" for words, on in told.items())
    return f'<td class="{css}">{said}</td>'


def _words(found: Mapping[str, Any]) -> str:
    if found["kept"]:
        return "kept"
    shows = FAILURES.get(str(found.get("shows", "")), "not kept")
    return f"<b>{shows}:</b> {escape(str(found['why']))}"


FAILURES = {  # what the customer or the owner of the shop sees (tests/promises/failures.py)
    "Hangs": "hangs",
    "Slow": "lets customers wait",
    "StaysDown": "stays down",
    "Unavailable": "refuses",
    "DoubleBooked": "books twice",
    "WrongAnswer": "answers wrongly",
    "WrongContent": "believes spoilt bytes",
    "ForNobody": "works for nobody",
    "Unlimited": "knows no limit",
    "NeedsRestart": "needs a restart",
    "Disagrees": "disagrees with itself",
    "Obeys": "obeys a stranger",
    "Readable": "can be read",
}
