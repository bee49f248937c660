"""The same questions behind the same snapshots: our proxy, and Envoy. What each says.

python -m lab.docs.planes
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from lab.cast.beside import require_proxy
from lab.docs import CAPTURED, DocsError
from lab.find import find
from lab.stage import Stage

ERA = "6"
PATH = CAPTURED / "planes.json"
PLANES = ("", "envoy")  # as a stage calls them; ours first
PATIENCE_S = 8.0
FAULT = """
[[services.inventory.routes]]
headers = { x-fault = "yes" }
fault = { abort_status = 503 }
"""
QUOTA = "services.inventory.quotas.orders"

HEAD = "".join(
    f'<th scope="col">{name}</th>' for name in ("asked", "our proxy", "Envoy", "because")
)

Probe = Callable[[Stage], str]


@dataclass(frozen=True)
class Question:
    """asked: in words. why: the reason, if the answers are not the same."""

    asked: str
    probe: Probe
    why: str = ""


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


def record() -> str:
    """Ask both, and say it as JSON. Without an Envoy here: what was said when there was one."""
    try:
        require_proxy(find(ERA), PLANES[1])
    except ValueError:
        return PATH.read_text(encoding="utf-8")
    told = [_answers(plane) for plane in PLANES]
    rows = [
        {"asked": question.asked, "ours": ours, "envoy": envoy, "why": question.why}
        for question, ours, envoy in zip(QUESTIONS, *told, strict=True)
    ]
    return json.dumps({"rows": rows}, indent=1) + "\n"


def _answers(plane: str) -> list[str]:
    with Stage(ERA, instances=1, proxy=plane, traced=False) as stage:
        return [question.probe(stage) for question in QUESTIONS]


def draw(title: str) -> str:
    """The table in HTML. Raises DocsError if it was never recorded, or a reason is missing."""
    if not PATH.is_file():
        raise DocsError(f"{PATH.name} is missing; python -m lab.docs.generate planes")
    rows: Sequence[dict[str, str]] = json.loads(PATH.read_text(encoding="utf-8"))["rows"]
    body = "".join(map(_row, rows))
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption><div class="wide">'
        f'<table class="promises"><thead><tr>{HEAD}</tr></thead><tbody>{body}</tbody></table>'
        "</div></figure>"
    )


def _row(row: dict[str, str]) -> str:
    asked, ours, envoy, why = (
        escape(row[key]).replace("_", "_<wbr>") for key in ("asked", "ours", "envoy", "why")
    )
    if ours == envoy:
        return f'<tr><th scope="row">{asked}</th><td colspan="2">both: {ours}</td><td></td></tr>'
    if not why:
        raise DocsError(f"{row['asked']!r}: they differ, and no reason is given")
    return f'<tr><th scope="row">{asked}</th><td>{ours}</td><td>{envoy}</td><td>{why}</td></tr>'


if __name__ == "__main__":
    print(record(), end="")
