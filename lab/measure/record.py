"""The committed record of a measurement: one JSON file, to which a partial run adds its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# What may differ between two runs that still count as one machine.
VARYING = ("load_before",)


class OtherMachine(ValueError):
    """Figures of two machines do not belong in one table."""


def save(path: Path, measurement: dict[str, Any], is_partial: bool) -> None:
    """Write `measurement` to `path`; a partial one replaces only the figures that it has.

    Raises OtherMachine if it would mix figures of different machines; the file is then untouched.
    """
    if is_partial and path.exists():
        measurement = merge(json.loads(path.read_text()), measurement)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".json.new")  # so that an interruption leaves the old file whole
    beside.write_text(json.dumps(measurement, indent=1, ensure_ascii=False) + "\n")
    beside.replace(path)


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return `new` with those figures of `old` that it does not have, in the old order.

    Raises OtherMachine if the two were measured on different machines.
    """
    changed = [key for key in new["machine"] if _differs(key, old["machine"], new["machine"])]
    if changed:
        raise OtherMachine(
            f"the figures on record were measured with another {', '.join(changed)}: "
            "measure all of them again, without --only"
        )
    figures = {figure["name"]: figure for figure in old["figures"]}
    figures |= {figure["name"]: figure for figure in new["figures"]}
    return new | {"figures": list(figures.values())}


def _differs(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return key not in VARYING and old.get(key) != new[key]
