"""The same questions behind the same snapshots: our proxy, and Envoy. What each says.

python -m lab.docs.planes_asked
"""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

from lab.docs.planes import ERA, Probe, Question, Table
from lab.stage import Stage

PATIENCE_S = 8.0
FAULT = """
[[services.inventory.routes]]
headers = { x-fault = "yes" }
fault = { abort_status = 503 }
"""
QUOTA = "services.inventory.quotas.orders"


def _ask(stage: Stage, method: str, path: str, host: str = "inventory", fault: str = "no") -> str:
    """What a program on orders' host is told: status, whether it is certain, in which words."""
    place = urlsplit(stage.outbound).netloc
    with closing(http.client.HTTPConnection(place, timeout=PATIENCE_S)) as line:
        line.request(method, path, headers={"Host": host, "X-Fault": fault})
        answer = line.getresponse()
        said = json.loads(answer.read())
    if "detail" not in said:
        return f"{answer.status}"
    certain = "certain" if said["certain"] else "not certain"
    return f"{answer.status}, {certain}: {said['detail']}"


def _faulty(stage: Stage) -> str:
    stage.operator.obeyed(stage.operator.apply(stage.operator.intent() + FAULT))
    told = _ask(stage, "GET", "/catalogue", fault="yes")
    stage.operator.obeyed(stage.operator.apply(stage.operator.intent().removesuffix(FAULT)))
    return told


def _used_up(stage: Stage) -> str:
    stage.operator.obeyed(stage.operator.change(QUOTA, {"rate_per_s": 1, "burst": 1}))
    _ask(stage, "DELETE", "/reservations/o-9")
    told = _ask(stage, "DELETE", "/reservations/o-9")
    stage.operator.obeyed(stage.operator.change(QUOTA, {"rate_per_s": 500, "burst": 1000}))
    return told


def _asleep(stage: Stage) -> str:
    stage.pause("inventory-1")
    told = _ask(stage, "DELETE", "/reservations/o-9")
    stage.resume("inventory-1")
    return told


def _dead(stage: Stage) -> str:
    stage.crash("inventory-1")
    return _ask(stage, "DELETE", "/reservations/o-9")


def _delete(path: str, host: str = "inventory") -> Probe:
    return lambda stage: _ask(stage, "DELETE", path, host)


NAMES = "Envoy has a word for its log, RESPONSE_CODE_DETAILS; ours has a sentence"
QUESTIONS = (
    Question("what may be asked", _delete("/reservations/o-9")),
    Question("what no rule allows", _delete("/catalogue"), NAMES),
    Question("a service that nobody knows", _delete("/", "nowhere")),
    Question(
        "two slashes where a rule has one",
        _delete("/reservations//o-9"),
        "Envoy is told to make paths plain before it looks at rules, and sends the plain one; ours "
        "refuses what has two readings where not all paths are allowed",
    ),
    Question(
        "a slash in disguise, %2f",
        _delete("/reservations%2fo-9"),
        "neither lets it through: Envoy finds fault with the path, ours with the right to ask it",
    ),
    Question("a fault that a route asks for", _faulty, NAMES),
    Question("a quota that is used up", _used_up, NAMES),
    Question("the only instance asleep, three attempts", _asleep, NAMES),
    Question(
        "the only instance dead, three attempts",
        _dead,
        "each attempt was refused by the kernel, so nothing was executed. Ours remembers that of "
        "all attempts; Envoy's answer can only tell of the last, so it must not be certain",
    ),
)


def _stage(plane: str) -> Stage:
    return Stage(ERA, instances=1, proxy=plane, traced=False)


ASKED = Table("planes", _stage, QUESTIONS)


if __name__ == "__main__":
    print(ASKED.record(), end="")
