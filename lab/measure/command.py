"""`eras measure NAME`: run a measurement, show its progress, print it, keep it."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.find import ROOT
from lab.measure import MEASUREMENTS, CannotMeasure, Interrupted
from lab.measure.record import CannotMerge, save

NOT_ALL = 1  # something failed: --only can fetch the rest
REFUSED = 2
RECORDS = ROOT / "docs" / "measurements"
HEAD = ("", "ours", "beside", "ratio", "target")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own arguments to `parser`."""
    parser.add_argument("--names", action="store_true", help="list what can be measured")
    parser.add_argument("name", nargs="?", choices=MEASUREMENTS, help="what to measure")
    parser.add_argument("--quick", action="store_true", help="one seed, few cells: half a minute")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="only figures whose name contains this"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="keep the figures here (default: docs/measurements/NAME.json; nowhere if --quick)",
    )


def run(options: argparse.Namespace) -> int:
    """Carry the command out; return its exit code: 2, the reason on stderr, if it cannot be.

    What was measured before Ctrl-C is kept and shown too; then KeyboardInterrupt goes on its way.
    """
    if options.names or not options.name:
        print("\n".join(MEASUREMENTS))
        return 0
    if options.record and not options.record.parent.is_dir():
        folder = options.record.parent  # said now, and not after ten minutes
        return _refuse(options, ValueError(f"--record: there is no folder {str(folder)!r}"))
    try:
        measurement = _measure(options)
    except Interrupted as interrupted:
        if interrupted.measurement["figures"]:
            _keep_and_show(options, interrupted.measurement)
        raise
    except (CannotMeasure, ValueError) as refusal:
        return _refuse(options, refusal)
    return _keep_and_show(options, measurement)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    measure = importlib.import_module(f"lab.measure.{options.name}").run
    console = Console(stderr=True)
    with console.status("starting") as status:
        # Piped, a status shows nothing, so every step is a line.
        tell = status.update if console.is_terminal else console.print
        measurement: dict[str, Any] = measure(options.quick, tell, options.only)
    return measurement


def _keep_and_show(options: argparse.Namespace, measurement: dict[str, Any]) -> int:
    record = options.record or (None if options.quick else RECORDS / f"{options.name}.json")
    try:
        if record:
            save(record, measurement)
    except CannotMerge as refusal:
        return _refuse(options, refusal)
    show(measurement, options.json)
    lacking = [name for name in measurement["missing"] if re.search(options.only, name)]
    return NOT_ALL if lacking else 0


def _refuse(options: argparse.Namespace, refusal: Exception) -> int:
    print(f"eras measure {options.name}: {refusal}", file=sys.stderr)
    return REFUSED


def show(measurement: Mapping[str, Any], as_json: bool) -> None:
    """Print the figures on stdout; as a table without the points of courses in time."""
    if as_json:
        print(json.dumps(measurement, indent=1, ensure_ascii=False))
    else:
        print("\n".join(table([one for one in measurement["figures"] if not _is_point(one)])))


def _is_point(figure: Mapping[str, Any]) -> bool:
    """Whether it is one moment of a course in time: those are for plots."""
    return bool(re.search(r"/-?[0-9.]+s$", figure["name"]))


def table(figures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table; those whose names differ in the last part stand together."""
    rows = [HEAD, *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    folder = ""
    yield _line(HEAD, widths)
    for figure, row in zip(figures, rows[1:], strict=True):
        above, folder = folder, figure["name"].rpartition("/")[0]
        if folder != above:
            yield f"{folder}/"
        yield _line(row, widths)


def _row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        figure["name"].rpartition("/")[2],
        f"{_said(figure['ours'])} {figure['unit'].removeprefix('1')}",
        f"{_said(figure['peer'])} {figure['peer_name']}",
        _said(figure["ratio"]),
        {True: "met", False: "missed", None: ""}[figure.get("met")],
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"  {'   '.join(padded)}".rstrip()


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
