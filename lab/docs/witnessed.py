"""A stage whose inventories are witnesses (`witness.py`): asked by orders' side, and looked at."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.docs.planes import ERA
from lab.doors import unix_connection
from lab.stage import Stage, Variant

PATIENCE_S, LOOK_S = 10.0, 0.05
WITHIN_S = 20.0  # for who was taken out of the list to be let back in
CROWD = 10
ANYTHING = [{"callers": ["orders", "reports"], "method": "*", "path": "/"}]


def stage_for(plane: str) -> Stage:
    """One inventory, and room for another; orders may ask them whatever it likes."""
    witness = Variant([sys.executable, "-m", "lab.docs.witness"])
    both = {"inventory-1": witness, "inventory-2": witness}
    stage = Stage(ERA, instances=1, proxy=plane, traced=False, variants=both)
    try:
        want(stage, "services.inventory.may", ANYTHING)
    except BaseException:
        stage.close()
        raise
    return stage


@dataclass(frozen=True)
class Answer:
    """fields: names in lowercase."""

    status: int
    fields: dict[str, str]
    said: dict[str, Any]


def ask(stage: Stage, method: str, key: str, **fields: str) -> Answer:
    """What a program on orders' host is told."""
    place = urlsplit(stage.outbound).netloc
    with closing(http.client.HTTPConnection(place, timeout=PATIENCE_S)) as line:
        line.request(method, f"/reservations/{key}", headers={"Host": "inventory", **fields})
        answer = line.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, json.loads(answer.read()))


def heard(stage: Stage, method: str, key: str) -> int:
    """How often the first inventory was asked this; method `most PUT`: so many at one moment."""
    path = Path(stage.address("inventory-1").removeprefix("unix:"))
    line = http.client.HTTPConnection("localhost", timeout=PATIENCE_S)
    line.sock = unix_connection(path, PATIENCE_S)
    with closing(line):
        line.request("GET", "/heard")
        return int(json.loads(line.getresponse().read()).get(f"{method} /reservations/{key}", 0))


def want(stage: Stage, key: str, value: object) -> None:
    """It is in force with both proxies when this returns."""
    stage.operator.obeyed(stage.operator.change(key, value))


def wait_for(seen: Callable[[], bool], what: str) -> None:
    """Until it is so. Raises TimeoutError."""
    until = time.monotonic() + WITHIN_S
    while not seen():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {WITHIN_S:g} s: {what}")
        time.sleep(LOOK_S)


def wait_well(stage: Stage) -> None:
    """Until nothing is held any more against the first inventory. Raises TimeoutError."""
    before = heard(stage, "DELETE", "o-1")

    def is_asked() -> bool:
        ask(stage, "DELETE", "o-1")
        return heard(stage, "DELETE", "o-1") > before

    wait_for(is_asked, "inventory-1 is asked again")


def ask_in_crowds(stage: Stage, name: str, is_refused: bool) -> int:
    """Crowd after crowd, until one of which nobody reaches the first inventory, or some do: how
    many of it at one moment. Raises TimeoutError.
    """
    keys = (f"{name}.{number}" for number in count())
    reached = 0

    def is_so() -> bool:
        nonlocal reached
        key = next(keys)
        list(crowd.map(lambda _: ask(stage, "DELETE", key), range(CROWD)))
        reached = heard(stage, "most DELETE", key)
        return is_refused == (reached == 0)

    with ThreadPoolExecutor(CROWD) as crowd:
        wait_for(is_so, f"crowds of which {'none' if is_refused else 'some'} get through")
    return reached
