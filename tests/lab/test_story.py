"""Each era's story comes true; one that is wrong is refused with what is accepted."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from lab.find import Era, eras, find
from lab.player import play
from lab.story import StoryError, has_story, story_of

GOOD = """
title = "A story"
belief = "b"
fails = "f"
next = "n"
[[scene]]
title = "one"
do = ["place o-1 sku-0001 2"]
expect = ["placed"]
"""


@pytest.mark.parametrize("era", [era for era in eras() if has_story(era)], ids=str)
def test_every_story_comes_true(era):
    told = tell(era)
    for part in ("It believes: ", "What still fails: ", "Which era answers: ", "┃"):
        assert part in told


def test_a_story_that_does_not_come_true_ends_with_what_was_said(tmp_path):
    with pytest.raises(StoryError, match=r"says \['out_of_stock'\], the shop said \['placed'\]"):
        tell(era_with(tmp_path, GOOD.replace('["placed"]', '["out_of_stock"]')))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("title =", r"story\.toml: Invalid value"),
        (GOOD.partition("[[scene]]")[0], "at least one"),
        (GOOD.replace('fails = "f"', ""), r"'fails' is missing; needed: title, belief"),
        (GOOD + "knob = 1", r"scene 1: 'knob' is no key; accepted: title, do"),
        (GOOD + "knobs = {loss = 2}", r"'one': knobs: loss is 2; accepted: a probability"),
        (GOOD + "knobs = {lose = 2}", r"'one': knobs: .*lose"),
        (GOOD + "instances = 0", "instances is 0; accepted: 1 to 20"),
        (GOOD + 'form = "virtual"', r"form is 'virtual'; accepted: portable, real"),
    ],
)
def test_a_story_that_cannot_be_read_says_where_and_what_is_accepted(tmp_path, broken, told):
    with pytest.raises(StoryError, match=told):
        story_of(era_with(tmp_path, broken))


def test_an_era_without_a_story_says_so(tmp_path):
    with pytest.raises(StoryError, match="no story yet"):
        story_of(Era("era0_naive", "", {}, tmp_path))


def era_with(folder: Path, story: str) -> Era:
    (folder / "story.toml").write_text(story)
    return Era("era0_naive", "", find("0").schemes, folder)


def tell(era: Era) -> str:
    told = io.StringIO()
    play(era, Console(file=told, width=80))
    assert max(map(len, told.getvalue().splitlines())) <= 80
    return told.getvalue()
