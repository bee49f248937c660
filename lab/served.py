"""Which instance has served, of which version: by what proxies wrote down, or heard by asking.

Customers cannot see it: what inventory's sidecar says of itself ends at orders.
"""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from urllib.parse import urlsplit

from lab.stage import Stage
from lab.trace import Event

SERVED_BY = "x-served-by"  # a sidecar's: instance and version
MOST_ASKED = 1000
ANSWERED = "answered"  # so an attempt ends that came to an answer
TELLS = "a bought proxy writes no trace: ask N PATH tells who serves"


class Served:
    """Counts for one stage, each time what came since the last."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._since = time.monotonic()

    def told(self) -> str:
        """Who answered orders, by the trace."""
        since, self._since = self._since, time.monotonic()
        if self._stage.writes_spans:
            return count(self._stage.trace(), since, self._versions())
        return TELLS

    def ask(self, number: int, path: str, headers: Mapping[str, str], patience_s: float) -> str:
        """Ask inventory so often, as a program on orders' host would. Raises ValueError."""
        place = urlsplit(self._stage.outbound).netloc
        with closing(http.client.HTTPConnection(place, timeout=patience_s)) as line:
            answers = [_answer(line, path, headers) for _ in range(number)]
        counted = Counter(answers).most_common()
        return f"{number} answers: " + ", ".join(f"{count} times {told}" for told, count in counted)

    def _versions(self) -> dict[str, str]:
        if not self._stage.era.has_control_plane:
            return {}
        try:
            endpoints = self._stage.operator.status()["endpoints"]
        except OSError:  # it is dead, or stands still
            return {}
        return {each["instance"]: each["version"] for each in endpoints}


def count(events: Sequence[Event], since: float, versions: Mapping[str, str]) -> str:
    """`inventory-1 v1 served 31, inventory-3 v2 served 9`, of what orders heard after `since`."""
    heard = Counter(
        event.source
        for event in events
        if event.process == "orders" and event.what == "answer" and event.t >= since
        if event.note == ANSWERED
    )
    told = (f"{name} {versions.get(name, '')}".strip() for name in sorted(heard))
    counted = [f"{who} served {heard[name]}" for who, name in zip(told, sorted(heard), strict=True)]
    return ", ".join(counted) or "nobody has served since"


def headers_of(words: Sequence[str]) -> dict[str, str]:
    """Of `NAME=VALUE ...`. Raises ValueError."""
    for word in words:
        if not word.partition("=")[1] or not word.partition("=")[0]:
            raise ValueError(f"{word!r}; accepted: NAME=VALUE, a header")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _answer(line: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> str:
    line.request("GET", path, headers={"Host": "inventory", **headers})
    answer = line.getresponse()
    answer.read()
    served_by = answer.getheader(SERVED_BY)  # none: a proxy has answered in inventory's place
    return f"{answer.status} from {served_by}" if served_by else str(answer.status)
