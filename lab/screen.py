"""How the lab speaks: colours on a terminal, plain text in a pipe, none with NO_COLOR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from lab import drawing, ladder

WIDEST = 100  # longer lines are hard to read


class Screen(Console):
    """Rich's console, which tells us of a broken pipe only through a method of our own."""

    def on_broken_pipe(self) -> None:
        """Called while the BrokenPipeError is handled: let it pass; rich would exit with 1."""
        raise


def screen(stderr: bool = False) -> Console:
    """A console for stdout (or stderr); 80 columns in a pipe, at most 100 on a terminal."""
    console = Screen(highlight=False, stderr=stderr)
    console.width = min(console.width, WIDEST) if console.is_terminal else 80
    return console


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print words as they are: no markup in them is obeyed, lines break between words."""
    for line in text.strip("\n").splitlines():
        folded = Text(line, style=style).wrap(console, console.width - indent) or [Text("")]
        for part in folded:
            part.rstrip()
            console.print(Text(" " * indent) + part, soft_wrap=True)


def show_ladder(
    console: Console, rows: Sequence[ladder.Row], lanes: Sequence[str] = ladder.LANES
) -> None:
    """Print a ladder, in ASCII where the terminal knows nothing else."""
    ascii_only = "utf" not in console.encoding  # sys.stdout tells nothing while progress is shown
    for text, style in drawing.draw(rows, console.width, ascii_only, lanes):
        console.print(Text(text.rstrip(), style=style), soft_wrap=True)


@contextmanager
def progress(what: str, beside: Console | None = None) -> Iterator[None]:
    """Tell that something takes a while; it vanishes when done, and is told on terminals only.

    `beside` is the console that is printed on meanwhile: it keeps the two apart. Else it is stderr.
    """
    console = beside if beside and beside.is_terminal else screen(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield
