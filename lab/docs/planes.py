"""Our proxy and Envoy behind the same control plane: what was asked of both, and what each did.

The questions are in planes_asked.py, of single answers, and in planes_watched.py, of what shows
only over several requests; here is how a table of them is recorded and drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lab.cast.beside import require_proxy
from lab.docs import CAPTURED, DocsError
from lab.find import find
from lab.stage import Stage

ERA = "6"
PLANES = ("", "envoy")  # as a stage calls them; ours first

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


@dataclass(frozen=True)
class Table:
    """Questions that are asked one after the other on one stage, which `stage` sets for a plane."""

    name: str
    stage: Callable[[str], Stage]
    questions: Sequence[Question]

    def record(self) -> str:
        """Ask both, and say it as JSON. Without an Envoy here: what was said when there was one."""
        try:
            require_proxy(find(ERA), PLANES[1])
        except ValueError:
            return path_of(self.name).read_text(encoding="utf-8")
        told = [self._answers(plane) for plane in PLANES]
        rows = [
            {"asked": question.asked, "ours": ours, "envoy": envoy, "why": question.why}
            for question, ours, envoy in zip(self.questions, *told, strict=True)
        ]
        return json.dumps({"rows": rows}, indent=1) + "\n"

    def _answers(self, plane: str) -> list[str]:
        with self.stage(plane) as stage:
            return [question.probe(stage) for question in self.questions]


def path_of(name: str) -> Path:
    """Where a table is kept."""
    return CAPTURED / f"{name}.json"


def draw(title: str, path: Path) -> str:
    """The table in HTML. Raises DocsError if it was never recorded, or a reason is missing."""
    if not path.is_file():
        raise DocsError(f"{path.name} is missing; python -m lab.docs.generate planes")
    rows: Sequence[Mapping[str, str]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    body = "".join(map(_row, rows))
    return (
        f'<figure class="measured"><figcaption>{escape(title)}</figcaption><div class="wide">'
        f'<table class="promises"><thead><tr>{HEAD}</tr></thead><tbody>{body}</tbody></table>'
        "</div></figure>"
    )


def _row(row: Mapping[str, str]) -> str:
    asked, ours, envoy, why = (
        escape(row[key]).replace("_", "_<wbr>") for key in ("asked", "ours", "envoy", "why")
    )
    if ours == envoy:
        return f'<tr><th scope="row">{asked}</th><td colspan="2">both: {ours}</td><td></td></tr>'
    if not why:
        raise DocsError(f"{row['asked']!r}: they differ, and no reason is given")
    return f'<tr><th scope="row">{asked}</th><td>{ours}</td><td>{envoy}</td><td>{why}</td></tr>'
