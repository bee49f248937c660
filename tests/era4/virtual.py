"""A client's stack on virtual time, before instances that answer as they are told."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from era4_framework.config import ClientConfig
from era4_framework.endpoints import Endpoint, Instance
from era4_framework.errors import CallFailed, Timeout
from era4_framework.identity import Identity
from era4_framework.orders import ANSWERS
from era4_framework.outcomes import request_to
from era4_framework.service import Request, Response
from era4_framework.stack import client_stack
from era4_framework.telemetry import Telemetry

SECRET = b"canary-5f1d1d3d8a4f4b0f9d4c-canary"
RESERVED = Response(201, {"outcome": "reserved"})


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Halfway(Random):
    """Chance without surprises: every draw is the middle, so a pause is half of its ceiling."""

    def random(self) -> float:
        return 0.5


Behaviour = Callable[[Request], Response]


@dataclass(frozen=True)
class Attempt:
    """What an instance heard, and when: seconds since the play began."""

    at: float
    instance: str
    request: Request


class Play:
    """`orders` asks `inventory`: who does what is in `acts`, what was heard in `attempts`."""

    def __init__(self, config: ClientConfig | None = None, instances: str = "abc") -> None:
        self.clock = Clock()
        self.instances = tuple(Instance(name, f"http://10.0.0.1:{ord(name)}") for name in instances)
        self.acts: dict[str, Behaviour] = {}
        self.attempts: list[Attempt] = []
        self.telemetry = Telemetry("orders", Random(7))
        self.identity = Identity(SECRET, "orders")  # tokens are read by real time
        self._began = self.clock.now
        self.service = client_stack(
            "inventory",
            lambda: self.instances,
            self.identity,
            self.telemetry,
            config,
            transport=self._hear,
            clock=self.clock,
            sleep=self.clock.sleep,
            rng=Halfway(),
        )

    def everybody(self, act: Behaviour) -> "Play":
        self.acts = {each.name: act for each in self.instances}
        return self

    def reserve(self, key: str = "o-1") -> Response:
        goods = {"sku": "s"}
        return self.service(
            request_to("reserve", "PUT", "/reservations/", key, goods, expects=ANSWERS["reserve"])
        )

    def timeline(self) -> list[tuple[float, str]]:
        return [(attempt.at, attempt.instance) for attempt in self.attempts]

    def moments(self) -> list[float]:
        return [attempt.at for attempt in self.attempts]

    def asked(self) -> str:
        """The instances that were asked, in order: "aab"."""
        return "".join(attempt.instance for attempt in self.attempts)

    def endpoints(self) -> list[Endpoint]:
        """As the stack's own balancing knows them."""
        return list(self.telemetry.watched("inventory"))

    def forget(self) -> None:
        self.attempts.clear()

    def silence(self, request: Request) -> Response:
        """A behaviour: nothing, until the attempt's time is up."""
        self.clock.sleep(request.timeout_s)
        raise Timeout("silent")

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        told = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        for line in self.telemetry.exposition().decode().splitlines():
            if line.startswith(f"{name}{{{told}}} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def _hear(self, request: Request) -> Response:
        assert request.endpoint
        name = request.endpoint.instance.name
        at = round(self.clock.now - self._began, 6)
        self.attempts.append(Attempt(at, name, request))
        return self.acts.get(name, lambda _: RESERVED)(request)


def fails(error: CallFailed) -> Behaviour:
    """A behaviour: this error, at once."""

    def act(request: Request) -> Response:
        raise error

    return act


def fails_first(error: CallFailed, attempts: int = 1) -> Behaviour:
    """A behaviour: this error for a request's first attempts, then what was asked for."""

    def act(request: Request) -> Response:
        if request.attempt <= attempts:
            raise error
        return RESERVED

    return act
