"""Measured figures as an HTML table: ours, the peer's, the ratio with its spread, the target."""

from collections.abc import Sequence
from html import escape

from lab.docs import DocsError, figures

HEAD = ("beside", "ratio", "target")
MOST_ON_A_PHONE = 2  # columns of figures that need no scrolling there


def draw(title: str, ours: str, lines: Sequence[str]) -> str:
    """A row for each of `lines`: `what it is = name of the figure`. ours: what our side is called.

    Raises DocsError for a figure that was never measured.
    """
    if not lines:
        raise DocsError("no figure is named; write lines `what it is = name`")
    measurement = figures.load(lines[0].rpartition(" = ")[2].partition("/")[0])
    rows = "".join(_row(measurement, line) for line in lines)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", ours, *HEAD))
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption>'
        f'<div class="wide"><table class="figures"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="note">Ratio: {escape(ours)} / beside (least to greatest of the rounds). '
        f"{escape(measurement.conditions_in_words)}</p></figure>"
    )


def abreast(title: str, sides: Sequence[str], lines: Sequence[str]) -> str:
    """A row for each of `lines`, `what it is = name of the figure` with {side} in it, and a column
    for each of `sides`, written `key = what it is called`.

    Raises DocsError for a figure that was never measured.
    """
    if not lines:
        raise DocsError("no figure is named; write lines `what it is = name with {side}`")
    measurement = figures.load(lines[0].rpartition(" = ")[2].partition("/")[0])
    pairs = [(key.strip(), called.strip()) for key, _, called in (s.partition("=") for s in sides)]
    head = "".join(f"<th>{escape(called)}</th>" for called in ("", *(name for _, name in pairs)))
    rows = ""
    for line in lines:
        words, _, name = (part.strip() for part in line.rpartition(" = "))
        cells = [_alone(measurement, name.replace("{side}", key)) for key, _ in pairs]
        rows += f"<tr><th>{escape(words)}</th>{''.join(cells)}</tr>"
    css = "figures narrow" if len(pairs) <= MOST_ON_A_PHONE else "figures"
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption>'
        f'<div class="wide"><table class="{css}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="note">{escape(measurement.conditions_in_words)}</p></figure>'
    )


def _alone(measurement: figures.Measurement, name: str) -> str:
    if measurement.is_left_out(name):
        return "<td>not part of a quick run</td>"
    found = measurement.figure(name)
    wanted = figures.target(found)
    small = f"<br><small>{escape(wanted)}</small>" if wanted else ""
    return f"<td>{escape(figures.say(found))}{small}</td>"


def _row(measurement: figures.Measurement, line: str) -> str:
    words, _, name = (part.strip() for part in line.rpartition(" = "))
    if measurement.is_left_out(name):
        return f'<tr><th>{escape(words)}</th><td colspan="4">not part of a quick run</td></tr>'
    found = measurement.figure(name)
    beside = ratio = ""
    if found["peer"] is not None:
        beside = f"{figures.say(found, 'peer')} ({found['peer_name']})"
        ratio = figures.say(found, "ratio")
    if found["ratio_min"] != found["ratio_max"]:
        ratio += f" ({figures.say(found, 'spread')})"
    cells = (figures.say(found), beside, ratio, figures.target(found))
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><th>{escape(words)}</th>{shown}</tr>"
