"""What this machine can do, what it cannot, what that means for you, and how to mend it.

eras doctor
eras doctor --strict      for CI: what tests would be skipped for want of is a failure
"""

from __future__ import annotations

import argparse

from rich.table import Table
from rich.text import Text

from lab.doctor import Finding, findings
from lab.screen import progress, say, screen

MARKS = {"works": ("works", "green"), "without": ("missing", "yellow"), "broken": ("needed", "red")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments to `parser`."""
    parser.add_argument("--strict", action="store_true", help="fail if tests would be skipped")


def run(options: argparse.Namespace) -> int:
    """Print the findings. Returns 1 if something is missing that nothing works without.

    With --strict also if tests would be skipped: a test that is skipped proves nothing.
    """
    console = screen()
    with progress("looking around"):
        found = list(findings())
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in found:
        mark, style = MARKS[finding.state]
        table.add_row(finding.what, Text(mark, style=style), Text(_told(finding)))
    console.print(table)
    broken = [finding.what for finding in found if finding.state == "broken"]
    without = sum(finding.state == "without" for finding in found)
    if broken:
        say(console, f"Nothing works without: {', '.join(broken)}.", "bold red")
        return 1
    skipped = [finding.what for finding in found if finding.state != "works" and finding.is_tested]
    if options.strict and skipped:
        say(console, f"Tests would be skipped for want of: {', '.join(skipped)}.", "bold red")
        return 1
    say(
        console,
        f"Ready: {len(found) - without} of {len(found)} work, the rest is optional.",
        "bold",
    )
    return 0


def _told(finding: Finding) -> str:
    return "\n".join(filter(None, [finding.found, finding.means, finding.mend]))
