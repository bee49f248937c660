"""The tour: the same order, era by era, over a good wire and a bad one.

eras demo          all eras, in a minute or two on two cores
eras demo 1        one era's story
"""

from __future__ import annotations

import argparse

from lab.cast.beside import why_not
from lab.find import eras, find
from lab.player import play
from lab.screen import say, screen
from lab.story import has_story


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`."""
    parser.add_argument("era", metavar="ERA", nargs="*", help="numbers or package names")


def run(options: argparse.Namespace) -> int:
    """Tell the stories. Returns 0."""
    console = screen()
    chosen = [find(name) for name in options.era] or [era for era in eras() if has_story(era)]
    for era in chosen:
        if missing := why_not(era):
            say(console, f"{missing}\n", "yellow")
            continue
        play(era, console)
        console.print()
    if not options.era:
        say(console, "Go on: `eras up 1` to play with one, `eras diff 1 2` to see what vanished.")
    return 0
