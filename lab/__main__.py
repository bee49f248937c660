"""The `eras` command.

eras demo                     the tour, in a minute or two
eras up 1 --loss 0.1          an era to play with
eras trace 1 --loss 0.3       one order over a bad wire, as a ladder
eras diff 1 2 orders.py       what the kernel took over
eras diff --concerns          where the code of each concern went
eras measure transport        the figures
eras mesh status              who in a running mesh knows what
eras doctor                   what this machine can do
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType, ModuleType

RAW = argparse.RawDescriptionHelpFormatter  # the examples keep their lines
INTERRUPTED, BROKEN_PIPE, REFUSED = 130, 141, 2
VERBS = {  # what may be typed -> (its module, what it is for)
    "demo": ("lab.verbs.demo", "the tour: the same order, era by era"),
    "up": ("lab.verbs.up", "start an era, play with it, break it"),
    "trace": ("lab.verbs.trace", "one order over a wire, as a ladder diagram"),
    "diff": ("lab.verbs.diff", "what changed from one era to another"),
    "measure": ("lab.measure.command", "figures, beside the best known alternative"),
    "mesh": ("lab.verbs.mesh", "tell a running mesh what is wanted, ask what became of it"),
    "doctor": ("lab.verbs.doctor", "what this machine can and cannot do, how to mend it"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code. Ctrl-C and SIGTERM clean up first."""
    signal.signal(signal.SIGTERM, _end)
    asked = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(asked)
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `eras demo | head` is a normal way to read
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(asked: list[str]) -> int:
    if not asked:
        _command_line("", None).print_help(sys.stderr)
        return REFUSED
    module = importlib.import_module(VERBS[asked[0]][0]) if asked[0] in VERBS else None
    try:
        if module and hasattr(module, "pass_on"):  # understood by somebody else
            module.pass_on(asked[1:])
        options = _command_line(asked[0] if module else "", module).parse_args(asked)
        if module is None:
            return REFUSED
        code: int = module.run(options)
        sys.stdout.flush()
        return code
    except _refusals() as refusal:
        print(f"eras {asked[0]}: {refusal}", file=sys.stderr)
        return REFUSED


def _refusals() -> tuple[type[Exception], ...]:
    """What says by itself, in a sentence, what was wrong and what is accepted."""
    from lab.find import UnknownEra
    from lab.launch import RoleFailed
    from lab.story import StoryError
    from lab.wire.namespaces import HostError
    from lab.wire.process import WireError

    return (ValueError, UnknownEra, RoleFailed, StoryError, HostError, WireError)


def _command_line(chosen: str, module: ModuleType | None) -> argparse.ArgumentParser:
    """All verbs are listed; only the chosen one is imported and knows its arguments."""
    parser = argparse.ArgumentParser(
        prog="eras",
        description="Seven Eras: one shop, two services, seven ways for them to talk.",
        epilog="examples:\n" + (__doc__ or "").partition("\n\n")[2],
        formatter_class=RAW,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, (_, said) in VERBS.items():
        verb = verbs.add_parser(name, help=said, formatter_class=RAW)
        if name == chosen and module:
            verb.description = module.__doc__
            module.add_arguments(verb)
    return parser


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # so that every `with` on the way out is kept


if __name__ == "__main__":
    sys.exit(main())
