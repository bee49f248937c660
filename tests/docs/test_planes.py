"""The tables of both data planes: what they say was asked, and differences have their reasons."""

import json

import pytest

from era5_sidecar.bought import Missing, find
from lab.docs import DocsError, planes
from lab.docs.planes_asked import ASKED
from lab.docs.planes_watched import WATCHED


def rows(text: str) -> list[dict[str, str]]:
    return json.loads(text)["rows"]


def verdict(told: str) -> str:
    """Status, and whether it is certain, or one or several: which words a proxy finds, and how many
    are several, may depend on the moment."""
    return told.partition(": ")[0]


@pytest.mark.parametrize("table", [ASKED, WATCHED], ids=lambda table: table.name)
def test_both_planes_do_as_the_page_says(table):
    try:
        find("envoy")
    except Missing as missing:
        pytest.skip(str(missing))
    committed = rows(planes.path_of(table.name).read_text())
    # a busy machine can disturb what shows only over time: once, and not the same twice
    first = differing(committed, rows(table.record()))
    again = differing(committed, rows(table.record())) if first else []
    assert not again, f"before: {first}"


def differing(committed, now) -> list[str]:
    """Those rows of which another verdict was recorded."""
    assert [(row["asked"], row["why"]) for row in committed] == [
        (row["asked"], row["why"]) for row in now
    ]
    return [
        f"{old['asked']} {plane}: {old[plane]!r}, now {new[plane]!r}"
        for old, new in zip(committed, now, strict=True)
        for plane in ("ours", "envoy")
        if verdict(old[plane]) != verdict(new[plane])
    ]


def test_a_difference_without_a_reason_stops_the_build(tmp_path):
    path = tmp_path / "planes.json"
    with pytest.raises(DocsError, match=r"planes\.json is missing"):
        planes.draw("t", path)
    row = {"asked": "a", "ours": "200", "envoy": "200", "why": ""}
    path.write_text(json.dumps({"rows": [row]}))
    assert "both: 200" in planes.draw("t", path)
    path.write_text(json.dumps({"rows": [row | {"envoy": "400"}]}))
    with pytest.raises(DocsError, match="'a': they differ, and no reason is given"):
        planes.draw("t", path)
