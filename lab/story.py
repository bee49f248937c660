"""A story: what an era believes, shown on a good wire and a bad one. Data, played by `lab.player`.

Each era has its own in `story.toml`, beside its code:

    title = "Era 0: what developers imagine"
    belief = "What is sent arrives, once, unharmed, and somebody answers."
    fails = "..."        # the promise that still fails
    next = "..."         # which era answers it

    [[scene]]
    title = "The answer is lost"
    say = "..."                                  # before: what is about to happen
    form = "portable"                            # of the wire; real falls back to portable
    knobs = {delay_s = 0.01}                     # of the wire, both ways
    do = ["back drop", "place o-1 sku-0001 2"]   # commands (lab/commands.py)
    expect = ["CustomerTimeout"]                 # what each customer is told, in turn
    look = "..."                                 # after: what to look at

Optional in a scene: patience_s, seed, rows (of the ladder at most; 0: no ladder), stores (show
what lies in both), instances (of inventory, from era 3 on), programs (another program for a role,
as {inventory-1 = ["node", "inventory.mjs"]}; without `node` the scene is left out), catalogue (a
file of goods); files lie beside the story. A story is a test of itself: another answer than
`expect` ends it.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from lab.find import FORMS, Era
from lab.stage import INSTANCES, MOST_INSTANCES, Variant
from lab.wire import KnobError, Knobs

FILE = "story.toml"


class StoryError(Exception):
    """A story that cannot be read, or that did not come true; the message says where."""


@dataclass(frozen=True)
class Scene:
    """One run of the era on one wire."""

    title: str
    do: list[str]
    expect: list[str]
    say: str = ""
    look: str = ""
    form: str = "portable"
    knobs: dict[str, Any] = field(default_factory=dict)
    patience_s: float = 1.0
    seed: int = 7
    rows: int = 24
    stores: bool = False
    instances: int = INSTANCES
    programs: dict[str, list[str]] = field(default_factory=dict)
    catalogue: str = ""

    @property
    def missing(self) -> str:
        """A program that this scene needs and this machine has not; else empty."""
        needed = [argv[0] for argv in self.programs.values()]
        return next((each for each in needed if not shutil.which(each)), "")

    def variants(self, folder: Path) -> dict[str, Variant]:
        """Its programs; what is a file in `folder` is that file."""
        argvs = self.programs.items()
        return {role: Variant([_found(word, folder) for word in argv]) for role, argv in argvs}


@dataclass(frozen=True)
class Story:
    """What an era believes, its scenes, which promise fails, and which era answers."""

    title: str
    belief: str
    fails: str
    next: str
    scene: tuple[Scene, ...]


def _found(word: str, folder: Path) -> str:
    return str(folder / word) if (folder / word).is_file() else word


def has_story(era: Era) -> bool:
    """Whether somebody has written one."""
    return (era.folder / FILE).is_file()


def story_of(era: Era) -> Story:
    """The era's own story. Raises StoryError, naming file, key, value and what is accepted."""
    path = era.folder / FILE
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoryError(f"era {era.number} has no story yet: {path} is missing") from None
    except tomllib.TOMLDecodeError as error:
        raise StoryError(f"{path}: {error}") from error
    scenes = written.pop("scene", [])
    if not isinstance(scenes, list) or not scenes:
        raise StoryError(f"{path}: scene is {scenes!r}; accepted: at least one [[scene]]")
    read = tuple(
        _filled(Scene, scene, f"{path}, scene {number}") for number, scene in enumerate(scenes, 1)
    )
    for scene in read:
        _check(scene, path)
    return _filled(Story, {**written, "scene": read}, str(path))  # type: ignore[no-any-return]


def _check(scene: Scene, path: Path) -> None:
    if scene.form not in FORMS:
        raise StoryError(f"{path}: form is {scene.form!r}; accepted: {', '.join(FORMS)}")
    if not 1 <= scene.instances <= MOST_INSTANCES:
        accepted = f"1 to {MOST_INSTANCES}"
        raise StoryError(f"{path}: instances is {scene.instances!r}; accepted: {accepted}")
    if not all(argv and isinstance(argv, list) for argv in scene.programs.values()):
        accepted = "a table of lists, the words of a command"
        raise StoryError(f"{path}: programs is {scene.programs!r}; accepted: {accepted}")
    try:
        Knobs(**scene.knobs)
    except (KnobError, TypeError) as error:
        raise StoryError(f"{path}, {scene.title!r}: knobs: {error}") from error


def _filled(kind: Any, written: Mapping[str, Any], where: str) -> Any:
    known = {field.name: field for field in fields(kind)}
    needed = [
        name
        for name, known_field in known.items()
        if known_field.default is MISSING and known_field.default_factory is MISSING
    ]
    for name in written:
        if name not in known:
            raise StoryError(f"{where}: {name!r} is no key; accepted: {', '.join(known)}")
    for name in needed:
        if name not in written:
            raise StoryError(f"{where}: {name!r} is missing; needed: {', '.join(needed)}")
    return kind(**written)
