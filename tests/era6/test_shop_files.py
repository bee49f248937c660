"""The files that the story and the README work with: wishes, and what stands beside a service."""

import re
from pathlib import Path

import pytest

from era6_control_plane import intent_file, node
from lab.find import ROOT

FOLDER = ROOT / "era6_control_plane"
WISHES = sorted((FOLDER / "intents").glob("*.toml"))
WRONG = "wrong.toml"


@pytest.mark.parametrize("path", WISHES, ids=lambda path: path.name)
def test_a_wish_of_the_story_is_the_shops_and_says_at_its_end_what_it_has_more(path):
    shop = (FOLDER / "intent.toml").read_text()
    before, found, after = path.read_text().partition("\n# -- what this wish has more than")
    assert before == shop and found and after.count("[[services.inventory.routes]]") in (1, 2)


@pytest.mark.parametrize("path", WISHES, ids=lambda path: path.name)
def test_all_wishes_but_one_can_be(path):
    text = path.read_text()
    if path.name != WRONG:
        assert intent_file.read(text, path.name).services["inventory"].routes
        return
    with pytest.raises(intent_file.IntentError, match="these add up to 110") as refused:
        intent_file.read(text, path.name)
    line = text.splitlines()[refused.value.line - 1]
    assert line.startswith("to = {"), "the line is named on which it stands"


@pytest.mark.parametrize(("name", "calls"), [("orders.toml", True), ("inventory.toml", False)])
def test_what_stands_beside_a_service_is_told_where_things_are_and_no_policy(
    tmp_path: Path, name: str, calls: bool
):
    path = tmp_path / name
    path.write_text((FOLDER / name).read_text())
    config = node.read(path)
    assert bool(config.outbound) is calls
    assert config.pilot.authorities == str(tmp_path / "pilot/citadel/authorities.pem")
    for word in ("timeout", "attempts", "quota", "deadline", "callers"):
        assert word not in path.read_text(), word


def test_the_map_names_every_file_once():
    named = re.findall(r"`([\w./]+\.(?:py|toml))`", (FOLDER / "MAP.md").read_text())
    files = [*FOLDER.rglob("*.py"), *FOLDER.glob("*.toml")]
    assert sorted(named) == sorted(str(each.relative_to(FOLDER)) for each in files)
