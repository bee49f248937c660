"""Runs of real services, for ladders: recorded from the trace that wire and services write.

The fates of the frames are scripted, so the story is always the same; the times are the machine's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lab.contract import Customer, NoOutcome
from lab.docs.recording import Recorder
from lab.docs.traced import ORDER, Heard, Reader
from lab.label import label_of
from lab.stage import Stage
from lab.trace import Event
from lab.wire import Knobs

PATIENCE_S = 8.0
PATIENCE_WITH_ERA_0_S = 1.0  # it waits for ever, the others give up
MOST_TAKES = 12  # until chance has chosen the instance that the story is about
QUIET_S = 0.1  # many times the wire's round trip
WARM_ORDERS = 12  # until each instance has very likely been asked
WAY = Knobs(delay_s=0.005)


def record(
    era: str,
    form: str,
    title: str,
    play: Callable[[Stage, Customer], None],
    seed: int = 7,
) -> dict[str, Any]:
    """Let real services of `era` play, and turn their trace into a recording.

    It begins when a customer places the order ORDER.
    """
    made_by = f"Real processes of era {era}, {form} wire; recorded by lab/docs."
    with Stage(era, form, knobs=WAY, seed=seed) as stage:
        recorder = Recorder(title, ("customer", "orders", *stage.instances), made_by)
        heard = Heard(stage.customer())
        customer = Customer(heard)
        play(stage, customer)
        events = _when_quiet(stage)
        if stage.era.has_sidecars:  # whose services write no trace, nor know who asks
            events = sorted([*events, *heard.told], key=lambda event: event.t)
        label = label_of(stage.era, form)
    Reader(recorder, events, label).read()
    return recorder.done()


def record_until(shows: str, take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Take after take until one shows this. Raises RuntimeError if none of MOST_TAKES does.

    Which of several instances is asked is drawn by chance in a process that takes no seed.
    """
    for _ in range(MOST_TAKES):
        taken = take()
        if any(shows in event["label"] for event in taken["events"]):
            return taken
    raise RuntimeError(f"{taken['title']}: none of {MOST_TAKES} takes shows {shows!r}")


def _when_quiet(stage: Stage) -> list[Event]:
    """The trace, once everything under way has arrived."""
    known = -1
    while len(events := stage.trace()) != known:
        known = len(events)
        time.sleep(QUIET_S)
    return events


def _place(stage: Stage, customer: Customer) -> None:
    patience_s = PATIENCE_WITH_ERA_0_S if stage.era.number == "0" else PATIENCE_S
    with contextlib.suppress(NoOutcome):
        customer.place(ORDER, "sku-0001", 2, timeout_s=patience_s)


def _with_fate(direction: str, *fates: str) -> Callable[[Stage, Customer], None]:
    def play(stage: Stage, customer: Customer) -> None:
        stage.wire.script(direction, list(fates))
        _place(stage, customer)

    return play


def _old_answer(stage: Stage, customer: Customer) -> None:
    stage.wire.script("back", ["duplicate"])
    _place(stage, customer)
    customer.place("o-2", "sku-0001", 1000, timeout_s=1.0)


def _known(then: Callable[[Stage, Customer], None]) -> Callable[[Stage, Customer], None]:
    """With a connection that stands already: an order before the recording begins."""

    def play(stage: Stage, customer: Customer) -> None:
        customer.place("o-0", "sku-0001", 1, timeout_s=5.0)
        then(stage, customer)

    return play


def _known_to_all(stage: Stage, customer: Customer) -> None:
    """With connections to all instances: whom it asks is drawn by chance."""
    for number in range(WARM_ORDERS):
        customer.place(f"warm-{number}", "sku-0001", 1, timeout_s=5.0)
    _place(stage, customer)


def _without_a_ruler(stage: Stage, customer: Customer) -> None:
    stage.kill("pilot")
    _known_to_all(stage, customer)


def _asleep(stage: Stage, customer: Customer) -> None:
    stage.pause("inventory")
    _place(stage, customer)
    stage.resume("inventory")


def _killed(stage: Stage, customer: Customer) -> None:
    stage.kill("inventory")
    time.sleep(QUIET_S)  # its kernel says goodbye in its name; that takes a round trip
    _place(stage, customer)


def _two_asleep(stage: Stage, customer: Customer) -> None:
    for instance in stage.instances[:2]:
        stage.pause(instance)
    _place(stage, customer)
    for instance in stage.instances[:2]:
        stage.resume(instance)


def _two_killed(stage: Stage, customer: Customer) -> None:
    for instance in stage.instances[:2]:
        stage.kill(instance)
    _place(stage, customer)


def _run(
    name: str, title: str, play: Callable[[Stage, Customer], None], seed: int = 7
) -> tuple[str, Callable[[], dict[str, Any]]]:
    era = name[3]
    form = "real" if era in "12" else "portable"  # TCP has packets only on a real wire
    return name, partial(record, era, form, title, play, seed)


def _attempt(
    name: str, title: str, play: Callable[[Stage, Customer], None]
) -> tuple[str, Callable[[], dict[str, Any]]]:
    """A run in which two attempts fail."""
    take = partial(record, name[3], "portable", title, play)
    return name, partial(record_until, "attempt 3", take)


LIVE = dict(
    [
        _run("era0-good", "One order over a perfect wire", _place),
        _run("era0-lost", "The question is lost", _with_fate("there", "drop")),
        _run("era0-lost-answer", "The answer is lost", _with_fate("back", "drop")),
        _run("era0-twice", "The question arrives twice", _with_fate("there", "duplicate")),
        _run("era0-old-answer", "An old answer arrives again", _old_answer),
        # the seed is one whose flipped bit turns quantity 2 into 3
        _run("era0-corrupt", "One bit flips", _with_fate("there", "corrupt"), seed=445),
        _run("era1-lost", "The question is lost", _known(_with_fate("there", "drop"))),
        _run("era2-good", "One order on a new connection", _place),
        _run("era2-lost-syn", "The first packet of all is lost", _with_fate("there", "drop")),
        _run("era2-lost", "The question is lost", _known(_with_fate("there", "drop"))),
        _run("era2-lost-answer", "The answer is lost", _known(_with_fate("back", "drop"))),
        _run("era2-asleep", "Inventory sleeps, its kernel does not", _known(_asleep)),
        _run("era2-killed", "Inventory is killed between two orders", _known(_killed)),
        _run("era3-good", "One order, three inventories", _place),
        _attempt("era3-killed", "Two of three inventories are killed", _two_killed),
        _attempt("era3-asleep", "Two of three inventories sleep", _two_asleep),
        _run("era4-good", "The same order through a framework", _place),
        _attempt("era4-asleep", "Two of three inventories sleep", _two_asleep),
        _run("era5-good", "One order, three inventories, four sidecars", _place),
        _run("era5-kept", "The next one, on connections that stand", _known_to_all),
        _attempt("era5-asleep", "Two of three inventories sleep", _two_asleep),
        _run("era6-good", "One order, sidecars that were told", _known_to_all),
        _run("era6-alone", "The same, and the control plane is dead", _without_a_ruler),
        _attempt("era6-asleep", "Two of three inventories sleep", _two_asleep),
    ]
)
