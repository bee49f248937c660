"""Trouble that needs more than one verb of the stage."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lab.stage import Stage
from lab.wire.process import WireProcess


@contextmanager
def stock_locked(stage: Stage) -> Iterator[None]:
    """Somebody else writes into inventory's store, and takes long over it."""
    with closing(sqlite3.connect(stage.directory / "stock.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


@contextmanager
def answers_lost(stage: Stage) -> Iterator[None]:
    """What orders asks still arrives; what it is answered does not."""
    if not stage.era.speaks_http:
        stage.wire.partition("back")
        yield
        stage.wire.heal()
        return
    # a partition, though only one way, would let no new connection come about
    stage.wire.toxics("back", timeout_s=0.0)
    yield
    stage.wire.toxics()


def paths(stage: Stage) -> list[WireProcess]:
    """The wire of each instance by itself; before there are several, the only one."""
    if not stage.era.speaks_http:
        return [stage.wire]
    return [stage.wire_of(name) for name in stage.instances]


def bytes_there(path: WireProcess) -> int:
    """What orders has sent to whoever is at its end."""
    return path.stats()["there"]["bytes"]


def bytes_back(path: WireProcess) -> int:
    """What orders has been sent."""
    return path.stats()["back"]["bytes"]
