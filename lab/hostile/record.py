"""What came of every case through several proxies, as rows for the docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.hostile.cases import THEMES
from lab.hostile.proxies import PROXIES, Missing
from lab.hostile.run import run

COMPARED = ("ours", "envoy", "nginx", "haproxy")


def rows(names: Sequence[str] = COMPARED) -> dict[str, Any]:
    """{"scores", "missing", "cases"}: each case with what each proxy made of it, "held", "broke" or
    "smuggled", and why where it did not hold. A proxy that is not here is named as missing.
    """
    made: dict[str, dict[str, Any]] = {
        case.number: {"number": case.number, "name": case.name, "theme": theme, "rfc": case.rfc}
        for theme, cases in THEMES.items()
        for case in cases
    }
    scores: dict[str, dict[str, int]] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            scores[name] = _add(name, made)
        except Missing as error:
            missing[name] = str(error)
    return {"scores": scores, "missing": missing, "cases": list(made.values())}


def _add(name: str, made: dict[str, dict[str, Any]]) -> dict[str, int]:
    results = []
    for row in run(PROXIES[name], [case for cases in THEMES.values() for case in cases]):
        results.append(row.verdict.result.value)
        told = made[row.case.number]
        told[name] = row.verdict.result.value
        if not row.verdict.is_held:
            told[f"{name} why"] = row.verdict.reason.partition("; client: ")[0]
    return {each: results.count(each) for each in ("held", "broke", "smuggled")}
