"""A table that stands in a module's docstring, as a table: what something is called elsewhere."""

import re
from html import escape

from lab.docs import DocsError
from lab.docs.cut import cut

CODE = re.compile(r"`([^`]*)`")
RULE = re.compile(r"\|[-|]+\|")
BETWEEN = re.compile(r"(?<!\\)\|")  # a bar behind a backslash belongs to its cell


def draw(reference: str) -> str:
    """The table of `path`'s docstring. Raises DocsError if it has none."""
    rows = [line for line in cut(f"{reference}:__doc__").text.splitlines() if line.startswith("|")]
    if len(rows) < 3 or not RULE.fullmatch(rows[1]):
        raise DocsError(f"the docstring of {reference} has no table")
    head = "".join(f'<th scope="col">{cell}</th>' for cell in _cells(rows[0]))
    body = "".join(_row(row) for row in rows[2:])
    return (
        '<div class="wide"><table class="figures"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: str) -> str:
    first, *others = _cells(row)
    cells = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'


def _cells(row: str) -> list[str]:
    parts = BETWEEN.split(row.strip().strip("|"))
    texts = [part.strip().replace(r"\|", "|") for part in parts]
    return [CODE.sub(r"<code>\1</code>", escape(text)) for text in texts]
