"""Start an era and keep it running: place orders, turn the wire's knobs, kill its services.

    eras up 0                            then type `help`
    eras up 1 --loss 0.1 --delay-s 0.02
    eras up 2 --wire portable --directory /tmp/my-shop

Commands are read from the terminal (or a pipe) until `quit`, its end, or Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from lab.commands import Conductor
from lab.contract import request_of
from lab.find import find
from lab.label import label_of
from lab.ladder import elide, lanes_of, rows
from lab.launch import RoleFailed
from lab.screen import progress, say, screen, show_ladder
from lab.stage import Stage
from lab.verbs import stage_options
from lab.vocabulary import HELP
from lab.wire import KnobError
from lab.wire.process import WireError

PROMPT = "> "
ORDER = {"op": "place", "order_id": "o-1", "sku": "sku-0001", "quantity": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`."""
    stage_options.add_arguments(parser)
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="keep stores, logs and traces here"
    )
    parser.add_argument(
        "--patience-s",
        type=stage_options.seconds,
        default=5.0,
        metavar="SECONDS",
        help="of customers here (5)",
    )


def run(options: argparse.Namespace) -> int:
    """Start the era, tell where it is, obey commands. Returns 0."""
    console = screen()
    with progress(f"starting era {options.era}"):
        stage = stage_options.stage_for(options, directory=options.directory)
    with stage:
        console.print(introduction(stage), soft_wrap=True, markup=False)  # to be copied: unbroken
        conductor = Conductor(stage, options.patience_s)
        for line in _lines():
            if line == "quit":
                break
            _obey(line, stage, conductor, console)
        for line, answer in conductor.join():
            say(console, f"{line}: {answer.text}")
    say(console, "stopped, nothing is left running", "dim")
    return 0


def introduction(stage: Stage) -> str:
    """What runs where, and how to reach it from another terminal."""
    width = max(map(len, stage.roles))
    running = "".join(
        f"  {role:<{width}}  pid {stage.pid(role)} at {stage.address(role)}\n"
        for role in stage.roles
    )
    return (
        f"era {stage.era.number} on a {stage.form} wire, seed {stage.seed}. {stage.era.title}\n"
        f"{running}"
        f"  stores, logs, traces in {stage.directory}\n"
        f"{_operating(stage)}"
        f"order from another terminal:\n  {shlex.join(_ordering(stage))}\n"
        "or here: place o-1 sku-0001 2 (help: all commands; quit or Ctrl-C: the end)"
    )


def _operating(stage: Stage) -> str:
    """How an operator reaches the control plane, if there is one."""
    if not stage.era.has_control_plane:
        return ""
    told = [f"ERAS_MESH={stage.operator.address}", f"ERAS_MESH_TOKEN={stage.operator.token}"]
    eras = str(Path(_this_python()).with_name("eras"))
    return f"operate it from another terminal:\n  {shlex.join(told)} {eras} mesh status\n"


def _ordering(stage: Stage) -> list[str]:
    """The command that places ORDER."""
    if not stage.era.speaks_http:
        ask = ["customer", "--counter", str(stage.counter), json.dumps(ORDER)]
        return [_this_python(), "-m", stage.era.package, *ask]
    method, path, body = request_of(ORDER)
    scheme, _, place = stage.url.partition(":")
    through = ["--unix-socket", place] if scheme == "http+unix" else []
    host = "http://orders" if through else stage.url
    kind = ["--header", "Content-Type: application/json"]
    return ["curl", "-X", method, *through, *kind, "--data", body.decode(), host + path]


def _this_python() -> str:
    """As one would type it in this folder."""
    here = os.path.relpath(sys.executable)
    return sys.executable if here.startswith("..") else here


def _lines() -> Iterator[str]:
    """What is typed, or comes through a pipe; without either, nothing until Ctrl-C."""
    if sys.stdin is None or not (sys.stdin.isatty() or _is_pipe_or_file()):
        signal.pause()
    while True:
        try:
            line = input(PROMPT if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if line:
            yield line


def _is_pipe_or_file() -> bool:
    return os.fstat(sys.stdin.fileno()).st_rdev != os.stat(os.devnull).st_rdev


def _obey(line: str, stage: Stage, conductor: Conductor, console: Console) -> None:
    if line == "help":
        say(console, f"{HELP}\nhere         trace (the ladder so far) | help | quit")
        return
    if line == "trace":
        events = stage.trace()
        lanes = lanes_of(events, stage.instances)
        made = rows(events, label_of(find(stage.era.package), stage.form), lanes)
        show_ladder(console, elide(made), lanes)
        return
    try:
        answer = conductor.obey(line)
    except (ValueError, KnobError, RoleFailed, WireError) as refused:
        say(console, str(refused), "red")
        return
    say(console, answer.text or "done")
