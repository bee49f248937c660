"""Where the code went, and what must be learned, as tables of a page: counted when it is built."""

from collections.abc import Mapping, Sequence
from html import escape

from lab.concerns import show
from lab.concerns.count import count
from lab.concerns.learned import to_learn
from lab.concerns.table import ALL_ERAS, FLOORS, TableError, load
from lab.docs import DocsError
from lab.find import Era, UnknownEra, find

PLACE = {
    "application": "in the services",
    "library": "in the library",
    "process": "in a process of its own",
    "kernel": "in the kernel",
    "control plane": "in the control plane",
}


def where(eras: Sequence[str], title: str) -> str:
    """A row for each concern, a column for each of `eras`, and who has how many of its lines.

    Raises DocsError for an era that there is not, or that the table does not know.
    """
    found = _find(eras)
    try:
        counted = count(found, load())
    except TableError as error:
        raise DocsError(str(error)) from error
    rows = []
    for concern in counted.concerns:
        cells = [_cell(counted.eras[era.package].get(concern, {})) for era in found]
        if any(cells):
            rows.append((concern, cells))
    sums = [str(sum(counted.on_floor(era.package, floor) for floor in FLOORS)) for era in found]
    shared = sum(counted.on_floor(ALL_ERAS, floor) for floor in FLOORS)
    note = (
        "Lines of code, without blank ones, comments and docstrings, counted when this page was"
        f" made. {shared} more are shared by all eras: the shop itself, and how a service is"
        " started. A floor without a number does it with no line of ours."
    )
    return _figure(title, found, [*rows, ("all", sums)], note)


def learning(eras: Sequence[str], title: str) -> str:
    """What the author of a service must know of each era's library. Raises DocsError."""
    found = _find(eras)
    told = [show.learned(to_learn(era.package, load())) for era in found]
    rows = [(what, [str(era[what]) for era in told]) for what in told[0]]
    return _figure(title, found, rows, show.LEARNING)


def _find(eras: Sequence[str]) -> list[Era]:
    try:
        found = [find(name) for name in eras]
    except UnknownEra as error:
        raise DocsError(str(error)) from error
    if not found:
        raise DocsError("no era is named; write a line `eras: 2 3 4`")
    return found


def _cell(floors: Mapping[str, int]) -> str:
    told = [
        f"{floors[floor] or ''} <small>{escape(PLACE[floor])}</small>".strip()
        for floor in FLOORS
        if floor in floors
    ]
    return "<br>".join(told)


def _figure(
    title: str, eras: Sequence[Era], rows: Sequence[tuple[str, list[str]]], note: str
) -> str:
    head = "".join(f"<th>era {era.number}</th>" for era in eras)
    body = "".join(
        f"<tr><th>{escape(what)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for what, cells in rows
    )
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption>'
        f'<div class="wide"><table class="figures"><thead><tr><th></th>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="note">{escape(note)}</p></figure>'
    )
