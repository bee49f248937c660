"""A circuit breaker: who keeps failing is left alone for a while, then tried with one call.

Asking a dead instance costs each caller a timeout, and an overloaded one its last chance to
recover (Nygard, Release It!, 2007). The states are called as the field calls them: OPEN blocks.

                  TRIP                   COOLED_DOWN
    +--------+ ----------> +------+ ------------------> +-----------+
    | CLOSED |             | OPEN |                     | HALF_OPEN |
    +--------+             +------+ <------------------ +-----------+
         ^                             PROBE_FAILED           |
         +----------------------------------------------------+
                             PROBES_PASSED

- CLOSED admits everybody. It trips after so many failures in a row, or when failures are too large
  a share of the last verdicts (Hystrix, resilience4j); the configuration says which.
- OPEN admits nobody until it has cooled down. Who asks first after that makes it HALF_OPEN; there
  is no timer. The cool-down may grow with each further trip (Envoy's outlier ejection).
- HALF_OPEN admits so many probes and no more. One failure opens it again; when all of them have
  succeeded, it closes.

Whoever is admitted gets a permit, and must settle it: `record` what came of the call, or `cancel`
if nothing did; a probe that is cancelled gives its place back. What is said of a permit a second
time is ignored, so `cancel` may stand in a `finally`. A permit is good only for the period in which
it was given: a straggler, admitted before the trip and answered after it, changes nothing; it must
not pass for the probe.
"""

from __future__ import annotations

from enum import Enum

from era4_framework.config import BreakerConfig
from era4_framework.policies.window import Window


class State(Enum):
    """What a breaker does with calls; the diagram above says when."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Event(Enum):
    """What changes the state."""

    TRIP = "trip"
    COOLED_DOWN = "cooled down"
    PROBE_FAILED = "probe failed"
    PROBES_PASSED = "probes passed"


class Verdict(Enum):
    """What came of a call, as far as it concerns the one who was called."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"  # says nothing about whether it is well


TRANSITIONS = {  # no other event can happen in these states
    (State.CLOSED, Event.TRIP): State.OPEN,
    (State.OPEN, Event.COOLED_DOWN): State.HALF_OPEN,
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    (State.HALF_OPEN, Event.PROBES_PASSED): State.CLOSED,
}

# Looking a member up in its Enum costs more than all else here (70 ns in Python 3.11).
CLOSED, OPEN, HALF_OPEN = State
SUCCESS, FAILURE, IGNORED = Verdict


class Permit:
    """Leave to make one call, in one period of one breaker."""

    __slots__ = ("is_settled", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self.is_settled = False


class Breaker:
    """One for each instance that is called. `state` is OPEN until somebody asks after cool-down."""

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self.state = CLOSED
        self.since = 0.0  # when this state began
        self.cool_at = 0.0  # OPEN: until then nobody is admitted
        self._period = 0  # each change of state begins another one
        self._trips = 0  # that are not forgotten
        self._failures_in_a_row = 0
        self._window = Window(config.window_calls, config.window_s)
        self._places = 0  # HALF_OPEN: probes that may still be admitted
        self._passes_missing = 0  # HALF_OPEN: successes that close it

    def __repr__(self) -> str:
        return f"<Breaker {self.state.name} since {self.since:g}>"

    def admits(self, now: float) -> bool:
        """Whether `admit` would give a permit. Changes nothing."""
        if self.state is CLOSED:
            return True
        if self.state is OPEN:
            return now >= self.cool_at
        return self._places > 0

    def admit(self, now: float) -> Permit | None:
        """A permit for one call, to be settled; None: leave this instance alone."""
        if self.state is CLOSED:
            return Permit(self._period)
        if self.state is OPEN and now >= self.cool_at:
            self._on(Event.COOLED_DOWN, now)
        if not self._places:
            return None
        self._places -= 1
        return Permit(self._period)

    def record(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Settle a permit: this came of the call."""
        if permit.is_settled or permit.period != self._period:
            return
        permit.is_settled = True
        if verdict is IGNORED:
            self._places += 1  # a probe's; while CLOSED nobody counts them
        elif self.state is HALF_OPEN:
            self._learn_of_probe(verdict is FAILURE, now)
        else:
            self._learn(verdict is FAILURE, now)

    def cancel(self, permit: Permit, now: float) -> None:
        """Settle a permit whose call was never made, or came to nothing that says anything."""
        self.record(permit, IGNORED, now)

    def _learn(self, failed: bool, now: float) -> None:
        self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        if self._config.failure_percent:
            self._window.add(failed, now)
        if self._fails_in_a_row() or self._fails_too_often():
            self._on(Event.TRIP, now)

    def _fails_in_a_row(self) -> bool:
        return 0 < self._config.consecutive_failures <= self._failures_in_a_row

    def _fails_too_often(self) -> bool:
        calls = len(self._window)
        if calls < self._config.least_calls:
            return False
        return 100 * self._window.failures >= self._config.failure_percent * calls

    def _learn_of_probe(self, failed: bool, now: float) -> None:
        if failed:
            self._on(Event.PROBE_FAILED, now)
            return
        self._passes_missing -= 1
        if not self._passes_missing:
            self._on(Event.PROBES_PASSED, now)

    def _on(self, event: Event, now: float) -> None:
        """Change the state; nothing else does."""
        if event is Event.TRIP:
            self._forget_trips(now)
        self.state = TRANSITIONS[self.state, event]
        self.since = now
        self._period += 1
        self._failures_in_a_row = 0
        self._window.clear()
        self._places = self._passes_missing = 0
        if self.state is OPEN:
            self._trips += 1
            self.cool_at = now + self._cool_down_s()
        if self.state is HALF_OPEN:
            self._places = self._passes_missing = self._config.probes

    def _forget_trips(self, now: float) -> None:
        """The longer it stayed closed, the less its past counts (as Envoy does every sweep)."""
        closed_s = max(0.0, now - self.since)
        self._trips = max(0, self._trips - int(closed_s / self._config.forget_trip_s))

    def _cool_down_s(self) -> float:
        grown_s = self._config.cool_down_s + self._config.cool_down_growth_s * (self._trips - 1)
        return min(grown_s, self._config.longest_cool_down_s)
