"""What changed from one era to another: the files that both have, line by line.

eras diff 1 2              all files with the same name, and which came and went
eras diff 1 2 orders.py    one of them
eras diff --concerns       where the code went: lines for each concern, in all eras or two
eras diff --to-learn       what the author of a service must know of his era's library
"""

from __future__ import annotations

import argparse
import ast
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from lab.concerns import table
from lab.find import ROOT, Era, find
from lab.screen import say, screen
from lab.verbs import concerns

SUFFIXES = (".py", ".mjs", ".toml")
CONTEXT_LINES = 3
STYLES = {"+": "green", "-": "red", "@": "cyan"}


class NoSuchFile(ValueError):
    """The message names the file and those that are there."""


class WrongEras(ValueError):
    """The message says how many are accepted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`."""
    parser.add_argument("a", metavar="A", nargs="?", help="an era: a number, or a package's name")
    parser.add_argument("b", metavar="B", nargs="?", help="another one")
    parser.add_argument("file", metavar="FILE", nargs="?", help="only this file, as orders.py")
    parser.add_argument("--stat", action="store_true", help="only the counts")
    counts = parser.add_mutually_exclusive_group()
    counts.add_argument("--concerns", action="store_true", help="lines for each concern instead")
    counts.add_argument("--to-learn", action="store_true", help="what must be known instead")
    parser.add_argument("--json", action="store_true", help="of these two both, as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the difference. Returns 0."""
    named = [name for name in (options.a, options.b) if name]
    if options.concerns or options.to_learn:
        return concerns.run(named, options.json, options.to_learn)
    if len(named) != 2:
        raise WrongEras(f"{len(named)} eras named; accepted: two, or --concerns or --to-learn")
    console = screen()
    old, new = find(options.a), find(options.b)
    if options.file:
        wanted = [_name_of(options.file, old, new)]
    else:
        wanted = sorted({*_files(old), *_files(new)})
    vanished = appeared = 0
    for name in wanted:
        lines = list(_difference(name, old, new))
        gone = sum(line[:1] == "-" and line[:3] != "---" for line in lines)
        came = sum(line[:1] == "+" and line[:3] != "+++" for line in lines)
        vanished, appeared = vanished + gone, appeared + came
        if not options.stat:
            for line in lines:
                style = "bold" if line[:3] in ("---", "+++") else STYLES.get(line[:1], "")
                console.print(Text(line, style=style), soft_wrap=True)
        say(console, f"{name}: {_whole(name, old, new)}{gone} lines vanished, {came} appeared")
    if len(wanted) > 1:
        total = (
            f"era {old.number} to era {new.number}: {vanished} lines vanished, {appeared} appeared"
        )
        say(console, total, "bold")
    return 0


def _difference(name: str, old: Era, new: Era) -> Iterator[str]:
    before = _lines(old, name)
    after = before if still_run(name, old, new) else _lines(new, name)
    labels = (f"{old.package}/{name}", f"{new.package}/{name}")
    return difflib.unified_diff(before, after, *labels, n=CONTEXT_LINES, lineterm="")


def _lines(era: Era, name: str) -> Sequence[str]:
    path = era.folder / name
    if not path.is_file():
        return []
    return (taken_over(path) or path).read_text(encoding="utf-8").splitlines()


def taken_over(path: Path) -> Path | None:
    """The file of an earlier era that this one is, to the letter: it imports and says no more."""
    if path.suffix != ".py" or path.name == "__init__.py":
        return None
    match ast.parse(path.read_text(encoding="utf-8")).body[1:]:
        case [ast.ImportFrom(module=str(module)), ast.Assign(targets=[ast.Name(id="__all__")])]:
            found = ROOT.joinpath(*module.split(".")).with_suffix(".py")
            return found if found.is_file() and found.name == path.name else None
    return None


def still_run(name: str, old: Era, new: Era) -> bool:
    """Whether the later era runs this file where it is, in the earlier one's folder."""
    told, path = table.load(), f"{old.package}/{name}"
    is_shared = path in told.files and told.files[path].column == table.ALL_ERAS
    is_run = is_shared or path in told.borrowed.get(new.package, ())
    return is_run and not (new.folder / name).is_file()


def _whole(name: str, old: Era, new: Era) -> str:
    if still_run(name, old, new):
        return f"still run, in {old.package}, "
    if name not in _files(new):
        return "not needed any more, "
    found = taken_over(new.folder / name)
    if found:
        return f"taken over from {found.parent.name} to the letter, "
    return "" if name in _files(old) else "new, "


def _files(era: Era) -> list[str]:
    inside = [path for path in era.folder.rglob("*") if path.suffix in SUFFIXES]
    return sorted(str(path.relative_to(era.folder)) for path in inside if path.name != "story.toml")


def _name_of(name: str, old: Era, new: Era) -> str:
    there = sorted({*_files(old), *_files(new)})
    for candidate in (name, f"{name}.py"):
        if candidate in there:
            return candidate
    raise NoSuchFile(f"file {name!r} is in neither era; accepted: {', '.join(there)}")
