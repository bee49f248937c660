"""Whom one may ask: an instance as the registry names it, an endpoint as this client knows it."""

import logging
import threading
from dataclasses import dataclass, field

from era4_framework.config import BreakerConfig
from era4_framework.policies.breaker import Breaker, Permit, State, Verdict

log = logging.getLogger("endpoints")


@dataclass(frozen=True)
class Instance:
    """One process of a service, and where it is reached: `http://HOST:PORT`."""

    name: str
    url: str


@dataclass(eq=False)
class Endpoint:
    """An instance, how busy we keep it, and what its breaker has learned. Any thread may use it."""

    instance: Instance
    breaker: Breaker
    in_flight: int = 0  # guarded by whoever balances: choosing and counting are one step
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, now: float) -> bool:
        """Whether the breaker would give a permit."""
        with self._turn:
            return self.breaker.admits(now)

    def admit(self, now: float) -> Permit | None:
        """A permit for one attempt, to be settled; None: leave it alone."""
        with self._turn:
            before = self.breaker.state
            permit = self.breaker.admit(now)
            self._log_change(before)
            return permit

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """What came of the attempt."""
        with self._turn:
            before = self.breaker.state
            self.breaker.record(permit, verdict, now)
            self._log_change(before)

    def _log_change(self, before: State) -> None:
        if self.breaker.state is not before:
            told = before.value, self.breaker.state.value
            log.warning("breaker instance=%s from=%s to=%s", self.instance.name, *told)


class Endpoints:
    """The endpoints of a list of instances that changes: who stays keeps what was learned of it."""

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self._of: tuple[Instance, ...] = ()
        self._known: dict[Instance, Endpoint] = {}
        self._turn = threading.Lock()

    def of(self, instances: tuple[Instance, ...]) -> list[Endpoint]:
        """One for each instance. An instance that moved is another one: its breaker is new."""
        with self._turn:
            if instances is not self._of:
                self._of = instances
                self._known = {each: self._known.get(each) or self._new(each) for each in instances}
            return list(self._known.values())

    def _new(self, instance: Instance) -> Endpoint:
        return Endpoint(instance, Breaker(self._config))
