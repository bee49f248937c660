"""The fences of the pages, for pymdownx.superfences; the marks within a line are in `marks`."""

import json
from typing import Any

from pymdownx.highlight import Highlight

from lab.docs import (
    CAPTURED,
    DocsError,
    changes,
    concerns,
    figures,
    figures_table,
    hostile,
    planes,
    plot,
    promises,
    recording,
    states,
    translated,
)
from lab.docs.cut import cut
from lab.docs.fence import fence
from lab.docs.options import Asked

LEXERS = {"py": "python", "lua": "lua", "toml": "toml", "mjs": "javascript", "json": "json"}


@fence("title")
def code(asked: Asked, md: Any) -> str:
    """Source by symbol, one reference a line (see `cut`); several stand one below the other."""
    return "".join(_code(cut(reference), asked, md) for reference in asked.names) or _nothing()


def _code(piece: Any, asked: Asked, md: Any) -> str:
    language = LEXERS.get(piece.path.rpartition(".")[2], "text")
    if piece.symbol == "__doc__":
        language = "text"
    return _highlighted(md, piece.text, language, asked.values.get("title", piece.title))


@fence("context")
def diff(asked: Asked, md: Any) -> str:
    """Two references, before and after: what changed from one era to the next."""
    before, after = asked.one_name("BEFORE AFTER").split()
    context = int(asked.values.get("context", changes.CONTEXT_LINES))
    change = changes.compare(before, after, context)
    return _highlighted(md, change.text, "diff", change.title)


@fence("title", "from", "to", "wrap")
def output(asked: Asked, md: Any) -> str:
    """What a command printed when `generate` ran it.

    from/to: first and last line to show, by words in them; wrap: yes, for lines too long to read.
    """
    name = asked.one_name("the name of a captured output")
    path = CAPTURED / f"{name}.txt"
    if not path.is_file():
        there = ", ".join(sorted(path.stem for path in CAPTURED.glob("*.txt"))) or "none"
        raise DocsError(f"no captured output {name!r}; there: {there}")
    lines = path.read_text(encoding="utf-8").splitlines()
    command, lines = lines[0], lines[1:]
    first = _place(lines, asked.values.get("from"), 0)
    last = _place(lines[first:], asked.values.get("to"), len(lines) - first - 1) + first
    shown = "\n".join(lines[first : last + 1]) + "\n"
    shape = "highlight wrapped" if asked.values.get("wrap") == "yes" else "highlight"
    return _highlighted(md, shown, "text", asked.values.get("title", command), shape)


def _place(lines: list[str], words: str | None, default: int) -> int:
    if words is None:
        return default
    for number, line in enumerate(lines):
        if words in line:
            return number
    raise DocsError(f"no line of the output has {words!r}")


@fence("axis", "variants")
def ladder(asked: Asked, md: Any) -> str:
    """Recordings, one a line; `variants: a | b` names them and `axis` says what they differ in."""
    recordings = recording.captured(asked.names)
    names = [name.strip() for name in asked.values.get("variants", "").split("|")]
    if len(names) != len(recordings):
        raise DocsError(f"{len(recordings)} recordings, but variants names {len(names)}")
    return recording.player(recordings, asked.values.get("axis", ""), names)


@fence("title", "x", "y", "figures", "ours", "peers", "scale", "ticks")
def graph(asked: Asked, md: Any) -> str:
    """A measurement over conditions; `figures` is a pattern with {x} and {peer}.

    ours: what our side is called (era 1).
    """
    measurement = figures.load(asked.one_name("the name of a measurement"))
    ticks = tuple(asked.need("ticks").split())
    peers = asked.need("peers").split()
    series = plot.collect(measurement, asked.need("figures"), ticks, peers, _ours(asked))
    drawn = plot.Plot(
        asked.need("title"),
        asked.need("x"),
        asked.need("y"),
        ticks,
        series,
        asked.values.get("scale") == "log",
        measurement.conditions_in_words,
    )
    return plot.draw(drawn)


@fence("title", "ours", "sides")
def table(asked: Asked, md: Any) -> str:
    """Figures as a table: lines of `what it is = name of the figure`; `ours` as in a plot.

    sides: `key = what it is called | ...`: a column for each, of the figure with {side} so filled.
    """
    sides = asked.values.get("sides")
    if sides:
        return figures_table.abreast(asked.need("title"), sides.split("|"), asked.names)
    return figures_table.draw(asked.need("title"), _ours(asked), asked.names)


def _ours(asked: Asked) -> str:
    return asked.values.get("ours", "era 1")


@fence("title", "note", "omit")
def machine(asked: Asked, md: Any) -> str:
    """A state diagram: the first line names the table, the others are the grid of its states."""
    if not asked.names:
        raise DocsError("no table is named; write `package.module:TRANSITIONS`")
    shown = states.arrows(states.load(asked.names[0]), asked.values.get("omit", "").split())
    grid = asked.names[1:]
    return states.draw(asked.need("title"), grid, shown, asked.values.get("note", ""))


@fence("eras", "run")
def promised(asked: Asked, md: Any) -> str:
    """The table of promises, for all eras or some; `run`: what was captured, if not `promises`."""
    path = CAPTURED / f"{asked.values.get('run', 'promises')}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    return promises.draw(content, asked.values.get("eras", "").split())


@fence("title")
def bytewise(asked: Asked, md: Any) -> str:
    """What every proxy made of bytes that were meant to harm it."""
    return hostile.draw(asked.need("title"))


@fence("title", "run")
def both_planes(asked: Asked, md: Any) -> str:
    """What our proxy and Envoy do behind the same snapshots; `run`: which table, if not planes."""
    return planes.draw(asked.need("title"), planes.path_of(asked.values.get("run", "planes")))


@fence()
def translation(asked: Asked, md: Any) -> str:
    """The table in a module's docstring."""
    return translated.draw(asked.one_name("a path"))


@fence("title", "eras")
def where(asked: Asked, md: Any) -> str:
    """Lines for each concern: who has them, era by era."""
    return concerns.where(asked.need("eras").split(), asked.need("title"))


@fence("title", "eras")
def learning(asked: Asked, md: Any) -> str:
    """What the author of a service must know of each era's library."""
    return concerns.learning(asked.need("eras").split(), asked.need("title"))


def _nothing() -> str:
    raise DocsError("nothing is named")


def _highlighted(md: Any, text: str, language: str, title: str, css: str = "highlight") -> str:
    made = Highlight(md, pygments_lang_class=True, line_spans="")
    return str(made.highlight(text, language, css, title=title))
