"""The table of both data planes: what it says was asked, and differences have their reasons."""

import json

import pytest

from era5_sidecar.bought import Missing, find
from lab.docs import DocsError, planes


def rows(text: str) -> list[dict[str, str]]:
    return json.loads(text)["rows"]


def verdict(told: str) -> str:
    """Status, and whether it is certain: which words a proxy finds may depend on the moment."""
    return told.partition(": ")[0]


def test_both_planes_answer_as_the_page_says():
    try:
        find("envoy")
    except Missing as missing:
        pytest.skip(str(missing))
    committed, now = rows(planes.PATH.read_text()), rows(planes.record())
    for old, new in zip(committed, now, strict=True):
        assert (old["asked"], old["why"]) == (new["asked"], new["why"])
        for plane in ("ours", "envoy"):
            assert verdict(old[plane]) == verdict(new[plane]), old["asked"]


def test_a_difference_without_a_reason_stops_the_build(tmp_path, monkeypatch):
    path = tmp_path / "planes.json"
    monkeypatch.setattr(planes, "PATH", path)
    with pytest.raises(DocsError, match=r"planes\.json is missing"):
        planes.draw("t")
    row = {"asked": "a", "ours": "200", "envoy": "200", "why": ""}
    path.write_text(json.dumps({"rows": [row]}))
    assert "both: 200" in planes.draw("t")
    path.write_text(json.dumps({"rows": [row | {"envoy": "400"}]}))
    with pytest.raises(DocsError, match="'a': they differ, and no reason is given"):
        planes.draw("t")
