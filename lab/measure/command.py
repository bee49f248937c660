"""`eras measure NAME`: run a measurement, show its progress, print it, keep it."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from lab.find import ROOT
from lab.measure import MEASUREMENTS, CannotMeasure
from lab.measure.record import CannotMerge, save

NOT_ALL = 1  # something failed or Ctrl-C came first; --only can fetch the rest
RECORDS = ROOT / "docs" / "measurements"


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
    """Carry the command out; return its exit code: 2, the reason on stderr, if it cannot be."""
    if options.names or not options.name:
        print("\n".join(MEASUREMENTS))
        return 0
    measure = importlib.import_module(f"lab.measure.{options.name}").run
    console = Console(stderr=True)
    record = options.record or (None if options.quick else RECORDS / f"{options.name}.json")
    try:
        with console.status("starting") as status:
            # Piped, a status shows nothing, so every step is a line.
            tell = status.update if console.is_terminal else console.print
            measurement = measure(options.quick, tell, options.only)
        if record:
            save(record, measurement)
    except (CannotMeasure, CannotMerge, ValueError) as refusal:
        print(f"eras measure {options.name}: {refusal}", file=sys.stderr)
        return 2
    show(measurement, options.json)
    lacking = [name for name in measurement["missing"] if re.search(options.only, name)]
    return NOT_ALL if lacking else 0


def show(measurement: dict[str, Any], as_json: bool) -> None:
    """Print the figures on stdout."""
    if as_json:
        print(json.dumps(measurement, indent=1, ensure_ascii=False))
        return
    table = Table(Column("figure", no_wrap=True), "ours", "beside", "peer", "ratio", "target")
    for figure in measurement["figures"]:
        table.add_row(
            figure["name"],
            f"{_said(figure['ours'])} {figure['unit'].removeprefix('1')}",
            _said(figure["peer"]),
            figure["peer_name"],
            _said(figure["ratio"]),
            {True: "met", False: "missed", None: ""}[figure.get("met")],
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
