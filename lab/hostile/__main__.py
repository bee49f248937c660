"""The table of byte cases: `python -m lab.hostile --proxy ours --proxy nginx [--case 28]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from lab.hostile.cases import CASES
from lab.hostile.judge import Result
from lab.hostile.proxies import PROXIES, Missing
from lab.hostile.record import COMPARED, rows
from lab.hostile.run import Row, run

REFUSED = 2  # the exit code, as argparse's own


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was not held (`--all`: everything); returns 1 if anything was smuggled, 2 if
    there is no such case.
    """
    options = _options(arguments)
    unknown = set(options.case or ()) - {case.number for case in CASES}
    if unknown:
        told = ", ".join(sorted(unknown))
        print(f"case {told}; accepted: {CASES[0].number} to {CASES[-1].number}", file=sys.stderr)
        return REFUSED
    if options.json:
        print(json.dumps(rows(options.proxy or COMPARED), indent=1, ensure_ascii=False))
        return 0
    cases = [case for case in CASES if not options.case or case.number in options.case]
    worst = 0
    for name in options.proxy or ["ours"]:
        try:
            played = list(run(PROXIES[name], cases))
        except Missing as missing:
            print(f"{name}: {missing}", file=sys.stderr)
            continue
        _print(name, played, options.all or bool(options.case))
        worst = max(worst, int(any(row.verdict.result is Result.SMUGGLED for row in played)))
    return worst


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.hostile", description=__doc__)
    parser.add_argument("--proxy", action="append", choices=list(PROXIES), help="repeatable")
    parser.add_argument("--case", action="append", help="only this number, repeatable")
    parser.add_argument("--all", action="store_true", help="also what was held")
    parser.add_argument("--json", action="store_true", help="all cases, as the docs have them")
    return parser.parse_args(arguments)


def _print(name: str, played: list[Row], all_of_them: bool) -> None:
    for row in played:
        if all_of_them or not row.verdict.is_held:
            result = row.verdict.result.value
            print(f"{name} {row.case.number:>4} {result:8} {row.seconds:5.2f} s  {row.case.name}")
            print(f"     {row.verdict.reason}")
    held = sum(row.verdict.is_held for row in played)
    smuggled = sum(row.verdict.result is Result.SMUGGLED for row in played)
    print(f"{name}: {held} of {len(played)} held, {smuggled} smuggled")


if __name__ == "__main__":
    sys.exit(main())
