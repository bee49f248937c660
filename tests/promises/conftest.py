"""Writes what came of each cell, for the docs' matrix: `pytest tests/promises --write-promises`."""

import json
from pathlib import Path

import pytest

from tests.promises.table import PROMISES, Promise

MATRIX = Path(__file__).resolve().parents[2] / "docs" / "captured" / "promises.json"
_seen: dict[str, dict[str, dict[str, dict]]] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: waits for an era's own timeout, seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a report must say of its cell, also one that is skipped before it runs."""
    for item in items:
        cell = getattr(item, "callspec", None)
        if cell and "promise" in cell.params:
            target = cell.params["target"]
            item.user_properties.append(("promise", cell.params["promise"].name))
            item.user_properties.append(("target", [target.era, target.form]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called where the session is led, also when other processes ran the test."""
    told = dict(report.user_properties)
    is_skip = report.when == "setup" and report.skipped
    if "promise" in told and (report.when == "call" or is_skip):
        era, form = told["target"]
        _seen.setdefault(told["promise"], {}).setdefault(era, {})[form] = _cell(report)


def _cell(report: pytest.TestReport) -> dict:
    if report.passed:
        return {"kept": True}
    if report.skipped and hasattr(report, "wasxfail"):
        shows = report.longrepr.reprcrash.message.partition(":")[0].rpartition(".")[2]
        return {"kept": False, "shows": shows, "why": report.wasxfail.removeprefix("reason: ")}
    if report.skipped:
        return {"kept": None, "why": report.longrepr[2].removeprefix("Skipped: ")}
    return {"kept": None, "why": "the test failed: the table and the era disagree"}


def _in_order(promise: Promise) -> list[tuple[str, dict[str, dict]]]:
    """Tests end in any order; the file must not show it."""
    return sorted(_seen.get(promise.name, {}).items())


def pytest_sessionfinish(session: pytest.Session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if is_worker or not session.config.getoption("--write-promises") or not _seen:
        return
    rows = [
        {
            "promise": promise.name,
            "claim": promise.claim,
            "fallacy": promise.fallacy,
            "eras": {era: dict(sorted(forms.items())) for era, forms in _in_order(promise)},
        }
        for promise in PROMISES
    ]
    MATRIX.parent.mkdir(parents=True, exist_ok=True)
    MATRIX.write_text(json.dumps({"promises": rows}, indent=1, ensure_ascii=False) + "\n")
