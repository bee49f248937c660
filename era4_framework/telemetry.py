"""What one instance tells about itself: log, trace, and metrics in the format of Prometheus.

| metric             | labels                        | what                                  |
|--------------------|-------------------------------|---------------------------------------|
| requests_total     | caller, callee, op, outcome   | requests, however often they were sent|
| request_seconds    | caller, callee, op            | how long their caller waited          |
| attempts_total     | callee, instance, verdict     | what was really sent, and to whom     |
| in_flight          | callee, instance              | sent, and not answered yet            |
| breaker_state      | callee, instance              | 0 closed, 1 half open, 2 open         |

A label never holds what a stranger wrote: an instance with as many time series as there are
strangers' ideas would soon hold nothing else.
"""

import logging
import os
import random
import threading
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from era4_framework.endpoints import Endpoint
from era4_framework.outcomes import KINDS
from era4_framework.policies.breaker import State
from era4_framework.tracing import Tracer

STATES = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Telemetry:
    """One for each process; every filter that watches is given it."""

    def __init__(self, process: str, rng: random.Random | None = None) -> None:
        """process: the name of this instance. rng: where the ids of spans come from."""
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
        folder = os.environ.get("ERAS_TRACE", "")
        self.tracer = Tracer(process, folder, rng or random.Random())
        self._turn = threading.Lock()  # two scrapes at once must not tell half of each other
        self._sent: set[tuple[str, str, str]] = set()  # the labels of attempts
        self._load: tuple[str, Callable[[], int]] | None = None
        self._watched: dict[str, Callable[[], Sequence[Endpoint]]] = {}
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "requests",
            "requests by what became of them",
            ["caller", "callee", "op", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "request_seconds",
            "how long the caller waited",
            ["caller", "callee", "op"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._attempts = Counter(
            "attempts",
            "attempts by what the breaker learned of them",
            ["callee", "instance", "verdict"],
            registry=registry,
        )
        self._in_flight = Gauge(
            "in_flight", "sent and not answered yet", ["callee", "instance"], registry=registry
        )
        self._breakers = Gauge(
            "breaker_state",
            "0 closed, 1 half open, 2 open",
            ["callee", "instance"],
            registry=registry,
        )

    def request(self, caller: str, callee: str, op: str, outcome: str, seconds: float) -> None:
        """A request came to its outcome, `seconds` after it was asked."""
        kind = outcome if outcome in KINDS else "other"
        self._requests.labels(caller, callee, op, kind).inc()
        self._seconds.labels(caller, callee, op).observe(seconds)

    def attempt(self, callee: str, instance: str, verdict: str) -> None:
        """An attempt ended."""
        with self._turn:
            self._attempts.labels(callee, instance, verdict).inc()
            self._sent.add((callee, instance, verdict))

    def watch(self, callee: str, endpoints: Callable[[], Sequence[Endpoint]]) -> None:
        """From now on /metrics tells of these endpoints how busy and how trusted they are."""
        self._watched[callee] = endpoints

    def watched(self, callee: str) -> Sequence[Endpoint]:
        """The endpoints of a service, as its client knows them now."""
        return self._watched[callee]()

    def watch_load(self, service: str, in_flight: Callable[[], int]) -> None:
        """From now on /metrics tells how many requests this instance of `service` is serving."""
        self._load = service, in_flight

    def exposition(self) -> bytes:
        """All metrics, as /metrics shows them; of instances that are gone nothing is told."""
        with self._turn:
            self._in_flight.clear()
            self._breakers.clear()
            for callee, endpoints in self._watched.items():
                self._tell(callee, endpoints())
            if self._load:
                service, in_flight = self._load
                self._in_flight.labels(service, self.tracer.process).set(in_flight())
            return generate_latest(self._registry)

    def _tell(self, callee: str, endpoints: Sequence[Endpoint]) -> None:
        for each in endpoints:
            name = each.instance.name
            self._in_flight.labels(callee, name).set(each.in_flight)
            self._breakers.labels(callee, name).set(STATES[each.breaker.state])
        there = {each.instance.name for each in endpoints}
        gone = {each for each in self._sent if each[0] == callee and each[1] not in there}
        for labels in gone:
            self._attempts.remove(*labels)
        self._sent -= gone
