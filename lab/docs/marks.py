"""Marks within a line, for pymdownx.inlinehilite: no number in the prose is typed by hand.

As in `fences`, every failure must be the extension's own exception, or it would go unnoticed.
"""

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from pymdownx.inlinehilite import InlineHiliteException

from lab.docs import DocsError, changes, figures
from lab.docs.cut import constant


def figure(source: str, language: str, css_class: str, md: Any) -> Element:
    """Inline: `#!figure NAME SIDE`, a measured figure."""
    name, _, side = source.partition(" ")
    return _inline(css_class, lambda: figures.say(figures.find(name), side or "ours"))


def value(source: str, language: str, css_class: str, md: Any) -> Element:
    """Inline: `#!value era1_raw_network/rtt.py:ALPHA`, a constant as the source has it."""
    return _inline(css_class, lambda: constant(source))


def lines(source: str, language: str, css_class: str, md: Any) -> Element:
    """Inline: `#!lines era1_raw_network/*.py`, how many lines of code there are."""
    return _inline(css_class, lambda: _counted(source))


def _counted(pattern: str) -> str:
    count = changes.code_lines(pattern)
    if not count:
        raise DocsError(f"no code matches {pattern!r}")
    return f"{count:,}"


def _inline(css_class: str, say: Callable[[], str]) -> Element:
    try:
        element = Element("span", {"class": css_class})
        element.text = say()
        return element
    except DocsError as error:
        raise InlineHiliteException(str(error)) from error
    except Exception as error:  # see above
        raise InlineHiliteException(f"{css_class} failed: {error!r}") from error
