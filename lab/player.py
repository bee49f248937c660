"""Plays an era's story on a real stage: its scenes, the ladder of what happened, what it means."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

from lab.commands import Answer, Conductor
from lab.find import Era
from lab.label import label_of
from lab.ladder import elide, lanes_of, rows
from lab.screen import progress, say, show_ladder
from lab.stage import Stage
from lab.story import Scene, StoryError, story_of
from lab.telling import told_stores
from lab.trace import Event
from lab.vocabulary import CUSTOMERS
from lab.wire import Knobs
from lab.wire.namespaces import available

QUIET_S = 0.12  # so long nothing may happen before a scene is over
LONGEST_END_S = 1.0
SETTINGS = {  # knob -> what it does, in words
    "loss": ("loses {:.0%} of the packets", 1),
    "duplicate": ("doubles {:.0%}", 1),
    "reorder": ("holds {:.0%} back", 1),
    "corrupt": ("flips a bit in {:.0%}", 1),
    "delay_s": ("takes {:g} ms each way", 1000),
    "jitter_s": ("varies by {:g} ms", 1000),
    "rate_bps": ("carries {:g} Mbit/s", 1e-6),
    "queue_bytes": ("queues {:g} bytes", 1),
    "mtu_bytes": ("takes packets of at most {:g} bytes", 1),
}


def play(era: Era, console: Console) -> None:
    """Tell the story. Raises StoryError if it does not come true, and what Stage raises."""
    story = story_of(era)
    console.rule(story.title, align="left")
    say(console, f"It believes: {story.belief}", "italic")
    for number, scene in enumerate(story.scene, start=1):
        console.print()
        say(console, f"{number}. {scene.title}", "bold")
        if scene.missing:
            say(console, f"(Left out: {scene.missing} is not installed.)", "dim")
            continue
        if scene.say:
            say(console, scene.say)
        _play_scene(era, scene, console)
        if scene.look:
            say(console, scene.look, "yellow")
    console.print()
    say(console, f"What still fails: {story.fails}", "bold")
    say(console, f"Which era answers: {story.next}", "bold")


def _play_scene(era: Era, scene: Scene, console: Console) -> None:
    form = _form(era, scene, console)
    say(console, _wire_in_words(form, Knobs(**scene.knobs)), "dim")
    with (
        progress(f"era {era.number}: {scene.title}", console),
        Stage(
            era.package,
            form,
            knobs=Knobs(**scene.knobs),
            seed=scene.seed,
            instances=scene.instances,
            variants=scene.variants(era.folder),
            catalogue=era.folder / scene.catalogue if scene.catalogue else None,
        ) as stage,
    ):
        since = beginning(stage)
        told = _do(scene, Conductor(stage, scene.patience_s), console)
        if told != scene.expect:
            raise StoryError(
                f"era {era.number}, scene {scene.title!r}: the story says {scene.expect},"
                f" the shop said {told}"
            )
        events = when_quiet(stage.trace) if scene.rows else []
        if events:
            lanes = lanes_of(events, stage.instances, since)
            made = rows(events, label_of(era, form), lanes, since)
            show_ladder(console, elide(made, scene.rows), lanes)
        if scene.stores:
            for line in told_stores(stage):
                say(console, line)


def _form(era: Era, scene: Scene, console: Console) -> str:
    missing = available() if scene.form == "real" else None
    if missing:
        say(console, f"(Not on a real wire: {missing} The portable one takes its place.)", "dim")
        return "portable"
    return scene.form


def _do(scene: Scene, conductor: Conductor, console: Console) -> list[str]:
    told = []
    for line in scene.do:
        say(console, f"> {line}", "bold cyan")
        answer = conductor.obey(line)
        told += _heard(line, answer, console)
    for line, answer in conductor.join():
        told += _heard(line, answer, console, f"{line.removesuffix('&').strip()}: ")
    return told


def _heard(line: str, answer: Answer, console: Console, before: str = "") -> list[str]:
    if answer.text:
        say(console, before + answer.text, indent=2)
    return [answer.outcome] if answer.outcome and line.split()[0] in CUSTOMERS else []


def _wire_in_words(form: str, knobs: Knobs) -> str:
    settings = [
        words.format(getattr(knobs, name) * factor)
        for name, (words, factor) in SETTINGS.items()
        if getattr(knobs, name) != getattr(Knobs(), name)
    ]
    return f"[{form} wire: {', '.join(settings) or 'perfect'}]"


def beginning(stage: Stage) -> float | None:
    """When the story begins: how services found each other before it is told from era 3 on only
    if one asks for it. None: with the first event.
    """
    return time.monotonic() if stage.era.speaks_http else None


def when_quiet(trace: Callable[[], list[Event]]) -> list[Event]:
    """The trace once nothing is under way any more, or after a second in any case."""
    deadline = time.monotonic() + LONGEST_END_S
    events = trace()
    while time.monotonic() < deadline:
        last = events[-1].t if events else time.monotonic()
        left_s = last + QUIET_S - time.monotonic()
        if left_s <= 0:
            break
        time.sleep(left_s)  # how long it has been quiet can only be seen by waiting
        events = trace()
    return events
