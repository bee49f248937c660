"""What one sidecar counts, in the text format of Prometheus.

| metric          | labels                                    | what                            |
|-----------------|-------------------------------------------|---------------------------------|
| requests_total  | direction, caller, callee, method, status | requests, as they ended         |
| request_seconds | direction, caller, callee                 | how long their caller waited    |
| attempts_total  | callee, instance, verdict                 | what was really sent, and whom  |
| refused_total   | direction, reason                         | what was not let through        |
| retries_total   | callee                                    | sent once more                  |

A label never holds what a stranger wrote: services and instances come from certificates, the
configuration and the registry; of methods and statuses only those that there are count as such.

Era 4 counts with prometheus_client. Here counting is part of every request and memory part of the
bill: a dictionary and a list cost a third of it per request, and importing it costs 14 MB. The
format is simple enough to write, and a test reads it with prometheus_client.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from era5_sidecar.config_inbound import METHODS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SUM = len(BUCKETS_S) + 1  # behind the bucket of all that took longer
KNOWN_METHODS = frozenset(METHODS)
OTHER = "other"
MOST_SERIES = 10_000  # of each metric: callers come from certificates, and those change

Labels = tuple[str, ...]
Sample = tuple[Labels, float]
Read = Callable[[], Iterable[Sample]]


class Metrics:
    """One for each process."""

    def __init__(self) -> None:
        # (direction, caller, callee, method, status) -> count per bucket, then the sum of seconds
        self._requests: dict[tuple[str, str, str, str, int], list[float]] = {}
        self._attempts: dict[Labels, int] = {}
        self._refused: dict[Labels, int] = {}
        self._retries: dict[Labels, int] = {}
        self._gauges: dict[str, tuple[str, Labels, Read]] = {}

    def request(
        self, direction: str, caller: str, callee: str, method: str, status: int, seconds: float
    ) -> None:
        """A request came to its end, `seconds` after it began. status: 0 if there was no answer."""
        if method not in KNOWN_METHODS:
            method = OTHER
        series = self._requests.get((direction, caller, callee, method, status))
        if series is None:
            series = self._new(direction, caller, callee, method, status)
        series[bisect_left(BUCKETS_S, seconds)] += 1
        series[SUM] += seconds

    def attempt(self, callee: str, instance: str, verdict: str) -> None:
        """An attempt ended; verdict: what the breaker learned of it."""
        _count(self._attempts, (callee, instance, verdict))

    def refused(self, direction: str, reason: str) -> None:
        """A request was not let through; reason: a word of ours."""
        _count(self._refused, (direction, reason))

    def retry(self, callee: str) -> None:
        """A request is sent once more."""
        _count(self._retries, (callee,))

    def forget(self, callee: str, instance: str) -> None:
        """An instance is gone: nothing more is told of it."""
        for labels in [each for each in self._attempts if each[:2] == (callee, instance)]:
            del self._attempts[labels]

    def gauge(self, name: str, what: str, labels: Labels, read: Read) -> None:
        """From now on `read` is asked at each scrape; what it gives are values of `labels`."""
        self._gauges[name] = what, labels, read

    def exposition(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines()).encode()

    def _new(
        self, direction: str, caller: str, callee: str, method: str, status: int
    ) -> list[float]:
        if not 100 <= status <= 599:
            status = 0
        if len(self._requests) >= MOST_SERIES:
            caller = OTHER
        return self._requests.setdefault(
            (direction, caller, callee, method, status), [0.0] * (SUM + 1)
        )

    def _lines(self) -> Iterator[str]:
        of_request: Labels = ("direction", "caller", "callee", "method", "status")
        totals = [((*key[:4], str(key[4])), sum(of[:SUM])) for key, of in self._requests.items()]
        yield from _metric("requests_total", "requests, as they ended", of_request, totals)
        yield from _histogram("request_seconds", of_request[:3], self._seconds())
        of_attempt: Labels = ("callee", "instance", "verdict")
        yield from _metric("attempts_total", "what was sent", of_attempt, self._attempts.items())
        of_refusal: Labels = ("direction", "reason")
        refused = self._refused.items()
        yield from _metric("refused_total", "what was not let through", of_refusal, refused)
        yield from _metric("retries_total", "sent once more", ("callee",), self._retries.items())
        for name, (what, labels, read) in self._gauges.items():
            yield from _metric(name, what, labels, read())

    def _seconds(self) -> Mapping[Labels, Sequence[float]]:
        """Buckets by direction, caller and callee: methods and statuses together."""
        found: dict[Labels, list[float]] = {}
        for key, series in self._requests.items():
            together = found.setdefault(key[:3], [0.0] * len(series))
            together[:] = map(float.__add__, together, map(float, series))
        return found

    def __repr__(self) -> str:
        return f"<Metrics of {len(self._requests)} kinds of request>"


def _count(counts: dict[Labels, int], labels: Labels) -> None:
    count = counts.get(labels, 0)
    if not count and len(counts) >= MOST_SERIES:
        labels = (OTHER,) * len(labels)
        count = counts.get(labels, 0)
    counts[labels] = count + 1


def _metric(name: str, what: str, labels: Labels, samples: Iterable[Sample]) -> Iterator[str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for values, number in samples:
        yield f"{name}{_braced(labels, values)} {float(number)!r}"


def _histogram(
    name: str, labels: Labels, series: Mapping[Labels, Sequence[float]]
) -> Iterator[str]:
    yield f"# HELP {name} how long the caller waited"
    yield f"# TYPE {name} histogram"
    for values, buckets in series.items():
        total = 0.0
        for edge, count in zip((*BUCKETS_S, "+Inf"), buckets, strict=False):
            total += count
            yield f"{name}_bucket{_braced((*labels, 'le'), (*values, str(edge)))} {total!r}"
        yield f"{name}_count{_braced(labels, values)} {total!r}"
        yield f"{name}_sum{_braced(labels, values)} {buckets[SUM]!r}"


def _braced(labels: Labels, values: Labels) -> str:
    told = ",".join(f'{each}="{_escaped(of)}"' for each, of in zip(labels, values, strict=True))
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
