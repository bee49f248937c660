"""The committed record of a measurement: one JSON file, to which a partial run adds its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# What may differ between two runs that still count as one machine.
VARYING = ("load_before",)


class CannotMerge(ValueError):
    """Figures measured under different circumstances do not belong in one table."""


def save(path: Path, measurement: dict[str, Any]) -> None:
    """Write `measurement` to `path`; an incomplete one replaces only the figures that it has.

    Raises CannotMerge if they do not belong together: then `path` is untouched, and the new
    figures are in a file beside it.
    """
    if measurement["missing"] and path.exists():
        try:
            measurement = merge(json.loads(path.read_text()), measurement)
        except CannotMerge as refusal:
            apart = path.with_suffix(".partial.json")
            _write(apart, measurement)
            raise CannotMerge(f"{refusal}; these figures are in {apart}") from refusal
    _write(path, measurement)


def _write(path: Path, measurement: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".json.new")  # so that an interruption leaves the old file whole
    beside.write_text(json.dumps(measurement, indent=1, ensure_ascii=False) + "\n")
    beside.replace(path)


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return `new` with those figures of `old` that it does not have, in the old order.

    Raises CannotMerge if the two were measured on different machines, or one in a hurry.
    """
    changed = [key for key in new["machine"] if _differs(key, old["machine"], new["machine"])]
    changed += ["kind (conditions)"] if old["conditions"] != new["conditions"] else []
    if changed:
        raise CannotMerge(
            f"the figures on record come from a run of another {', '.join(changed)}, "
            "so all must be measured again, without --only"
        )
    figures = {figure["name"]: figure for figure in old["figures"]}
    figures |= {figure["name"]: figure for figure in new["figures"]}
    missing = [name for name in new["missing"] if name not in figures]
    return new | {"missing": missing, "figures": list(figures.values())}


def _differs(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return key not in VARYING and old.get(key) != new[key]
