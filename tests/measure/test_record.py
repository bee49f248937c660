"""A partial run adds to the record; it never mixes machines and never leaves half a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.measure.record import CannotMerge, merge, save


def measurement(
    cores: int = 2,
    load: float = 0.0,
    missing: tuple[str, ...] = (),
    quick: bool = False,
    **figures: float,
) -> dict[str, Any]:
    return {
        "machine": {"cores": cores, "load_before": load},
        "conditions": {"quick": quick},
        "missing": list(missing),
        "figures": [{"name": name, "ours": value} for name, value in figures.items()],
    }


def test_a_partial_run_replaces_its_figures_and_keeps_the_others() -> None:
    merged = merge(
        measurement(a=1.0, b=2.0), measurement(load=0.5, missing=("a", "d"), b=3.0, c=4.0)
    )
    assert {figure["name"]: figure["ours"] for figure in merged["figures"]} == {
        "a": 1.0, "b": 3.0, "c": 4.0,
    }  # fmt: skip
    assert merged["missing"] == ["d"]


def test_figures_of_two_machines_are_not_mixed() -> None:
    with pytest.raises(CannotMerge, match="another cores"):
        merge(measurement(cores=2, a=1.0), measurement(cores=8, b=1.0))


def test_a_hasty_run_is_not_mixed_with_a_whole_one() -> None:
    with pytest.raises(CannotMerge, match="kind"):
        merge(measurement(a=1.0), measurement(quick=True, b=1.0))


def test_a_whole_run_replaces_the_record(tmp_path: Path) -> None:
    path = tmp_path / "measurements" / "transport.json"
    save(path, measurement(cores=2, a=1.0))
    save(path, measurement(cores=8, b=1.0))
    assert [figure["name"] for figure in json.loads(path.read_text())["figures"]] == ["b"]


def test_a_refused_merge_leaves_the_record_untouched_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "transport.json"
    save(path, measurement(cores=2, a=1.0))
    before = path.read_text()
    with pytest.raises(CannotMerge):
        save(path, measurement(cores=8, missing=("a",), b=1.0))
    assert path.read_text() == before
    apart = json.loads((tmp_path / "transport.partial.json").read_text())
    assert [figure["name"] for figure in apart["figures"]] == ["b"]
