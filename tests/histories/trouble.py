"""What happens to a shop of several instances while customers stand at its door."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lab.cast.beside import SUFFIX
from lab.processes import children_of
from lab.stage import Stage

CALM_S = 0.1  # between two troubles


def make_trouble(stage: Stage) -> None:
    """One after the other, each mended before the next; what a real wire cannot do is left out."""
    for trouble in troubles(stage):
        trouble()
        time.sleep(CALM_S)


def troubles(stage: Stage) -> Iterator[Callable[[], None]]:
    one, two, three = stage.instances
    yield lambda: killed(stage, one, 0.2)
    yield lambda: paused(stage, two, 0.8)
    yield lambda: answers_lost(stage, 0.6)
    yield lambda: killed(stage, "orders", 0.1)
    yield lambda: busy(stage.directory / "stock.db", 0.6)
    if stage.era.has_sidecars:
        yield lambda: stage.kill(two + SUFFIX)
        yield lambda: stage.kill("orders" + SUFFIX)
        yield lambda: proxy_paused(stage, three, 0.8)
    if stage.era.has_control_plane:
        yield lambda: killed(stage, "pilot", 0.2)
        yield lambda: told_otherwise(stage, two)
    if stage.form == "portable":
        yield lambda: black_hole(stage, three, 0.8)
        yield lambda: killed(stage, "orders", 0.0)


def killed(stage: Stage, role: str, away_s: float) -> None:
    """kill -9: what is under way there ends at once; what was sent to others goes on."""
    stage.kill(role)
    time.sleep(away_s)
    stage.restart(role)


def paused(stage: Stage, instance: str, still_s: float) -> None:
    """SIGSTOP: what comes waits in its sockets, and is done long after everybody gave up."""
    stage.pause(instance)
    time.sleep(still_s)
    stage.resume(instance)


def proxy_paused(stage: Stage, role: str, still_s: float) -> None:
    """SIGSTOP of what carries its requests; who looks after it has more patience than that."""
    proxies = children_of(stage.pid(role + SUFFIX))
    for pid in proxies:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(still_s)
    for pid in proxies:
        os.kill(pid, signal.SIGCONT)


def told_otherwise(stage: Stage, instance: str) -> None:
    """All proxies are told to ask in another way while they ask, and an instance takes leave and
    comes back meanwhile; then all is as before.
    """
    operator = stage.operator
    said = operator.intent()
    operator.change("services.inventory.client.try_timeout_s", 0.3)
    stage.terminate(instance)
    operator.obeyed(operator.change("services.inventory.client.balancer.kind", "round_robin"))
    stage.restart(instance)
    operator.obeyed(operator.apply(said))


def answers_lost(stage: Stage, silent_s: float) -> None:
    """Requests arrive and are executed; no answer returns."""
    with healed_afterwards(lambda: stage.wire.heal("back")):
        stage.wire.partition("back")
        time.sleep(silent_s)


def black_hole(stage: Stage, instance: str, silent_s: float) -> None:
    """Nothing reaches this instance and nothing returns, and nobody is told."""
    path = stage.wire_of(instance)
    with healed_afterwards(path.heal):
        path.partition()
        time.sleep(silent_s)


def busy(store: Path, held_s: float) -> None:
    """Somebody else writes into the store, and takes his time."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=5.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(held_s)
        other.execute("ROLLBACK")


@contextmanager
def healed_afterwards(heal: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        heal()
