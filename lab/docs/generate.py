"""Write docs/captured: run the real commands, record the runs. `--check`: are they still true?

What runs on virtual time is compared word for word, times included: they are part of what it shows.
What says the same whenever it runs is compared with measured times, ports and folders aside. The
rest (live ladders, demos) is written anew by `generate` only.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.docs import CAPTURED, ROOT, told_scenes
from lab.docs.commands import COMMANDS, Command
from lab.docs.live_runs import LIVE
from lab.docs.planes import path_of
from lab.docs.planes_asked import ASKED
from lab.docs.planes_watched import WATCHED
from lab.docs.recording import write
from lab.docs.scenes import SCENES
from lab.docs.told_scenes import TOLD
from lab.docs.virtual_runs import Plan, Stage

NORMAL = (
    (re.compile(r"(?<=:)\d{4,5}\b"), "PORT"),
    (re.compile(r"\b\d+(?:[.,]\d+)*(?= ?(?:ms|µs|s|seconds|Mbit/s|MB)\b)"), "N"),
    (re.compile(r"(?:/[\w.-]+)*/(?:tmp|var/folders)/[\w./-]+"), "FOLDER"),
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True)
class Made:
    """One file. Steady: it comes out alike each time; virtual: with the same times too."""

    path: Path
    make: Callable[[], str]
    is_steady: bool
    is_virtual: bool = False

    def comparable(self, text: str) -> str:
        """What of the text must be the same in every run."""
        return text if self.is_virtual else normal(text)


def everything() -> Iterator[Made]:
    """All that can be generated, in no particular order."""
    for name, plan in SCENES.items():
        yield Made(CAPTURED / "ladders" / f"{name}.json", partial(_play, plan), True, True)
    for name, scene in TOLD.items():
        path = CAPTURED / "ladders" / f"{name}.json"
        yield Made(path, partial(told_scenes.play, scene), True, True)
    for command in COMMANDS:
        yield Made(CAPTURED / f"{command.name}.txt", partial(run, command), command.is_steady)
    for table in (ASKED, WATCHED):
        yield Made(path_of(table.name), table.record, False)
    for name, record in LIVE.items():
        yield Made(CAPTURED / "ladders" / f"{name}.json", partial(_record, record), False)


def _play(plan: Plan) -> str:
    return write(Stage(plan).run())


def _record(record: Callable[[], dict[str, Any]]) -> str:
    return write(record())


def run(command: Command) -> str:
    """What the reader would type, and what came of it. Raises RuntimeError if it fails."""
    environment: Mapping[str, str] = {
        **os.environ,
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "TERM": "dumb",
    }
    done = subprocess.run(
        [sys.executable, *command.arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=command.timeout_s,
        text=True,
    )
    if done.returncode != command.exit_code:
        raise RuntimeError(f"{command.typed}: exit code {done.returncode}\n{done.stdout}")
    told = done.stdout.replace(sys.executable, "python").replace(str(ROOT), "...")
    lines = [line.rstrip() for line in told.splitlines()]
    return "\n".join([f"$ {command.typed}", *lines]) + "\n"


def normal(text: str) -> str:
    """Without what differs from run to run: ports, measured times, temporary folders."""
    for pattern, word in NORMAL:
        text = pattern.sub(word, text)
    return text


def is_same(made: Made, text: str) -> bool:
    """Whether the committed file says the same."""
    if not made.path.is_file():
        return False
    return made.comparable(made.path.read_text(encoding="utf-8")) == made.comparable(text)


def check(chosen: list[Made]) -> list[str]:
    """What is not true any more: for each file a sentence and the first lines that differ."""
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda made: made.make(), chosen))
    return [
        _difference(made, text)
        for made, text in zip(chosen, texts, strict=True)
        if not is_same(made, text)
    ]


def _difference(made: Made, text: str) -> str:
    name = made.path.relative_to(ROOT)
    if not made.path.is_file():
        return f"{name} is missing"
    committed, now = made.comparable(made.path.read_text(encoding="utf-8")), made.comparable(text)
    lines = difflib.unified_diff(
        committed.splitlines(), now.splitlines(), "committed", "now", lineterm=""
    )
    return "\n".join([f"{name} is not what happens now:", *list(lines)[:12]])


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 1 if something is not true any more."""
    parser = argparse.ArgumentParser(prog="python -m lab.docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (part of a file name)")
    asked = parser.parse_args(arguments)
    chosen = [
        made
        for made in everything()
        if not asked.names or any(name in made.path.name for name in asked.names)
    ]
    if not chosen:
        parser.error(f"nothing is called {', '.join(asked.names)}")
    if asked.check:
        wrong = check([made for made in chosen if made.is_steady])
        print("\n\n".join(wrong) or "what the pages show is what happens")
        return 1 if wrong else 0
    for made in chosen:
        text = made.make()
        state = "unchanged" if is_same(made, text) else "written"
        if state == "written":
            made.path.parent.mkdir(parents=True, exist_ok=True)
            made.path.write_text(text, encoding="utf-8")
        print(f"{state:9} {made.path.relative_to(ROOT)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
