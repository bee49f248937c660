"""Hypothesis against a second breaker, written the long way: whatever happens, both agree.

The second one keeps lists instead of counters and judges them anew each time. Beside that, what
must hold for any breaker is checked at every step.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from era4_framework.config import BreakerConfig
from era4_framework.policies.breaker import TRANSITIONS, Breaker, State, Verdict

STEPS = {(before, after) for (before, _), after in TRANSITIONS.items()}
WALKED = set()  # the steps that any walk took


class Walk(RuleBasedStateMachine):
    """One breaker, the calls that it admitted, and a clock."""

    @initialize(
        in_a_row=st.integers(0, 4),
        percent=st.sampled_from([0, 25, 50, 100]),
        least_calls=st.integers(1, 6),
        probes=st.integers(1, 3),
        growth_s=st.sampled_from([0.0, 1.5]),
    )
    def begin(self, in_a_row, percent, least_calls, probes, growth_s):
        self.config = BreakerConfig(
            consecutive_failures=in_a_row or (0 if percent else 1),
            failure_percent=percent,
            least_calls=least_calls,
            window_calls=6,
            window_s=5.0,
            cool_down_s=2.0,
            cool_down_growth_s=growth_s,
            longest_cool_down_s=6.0,
            forget_trip_s=4.0,
            probes=probes,
        )
        self.breaker = Breaker(self.config)
        self.now = 0.0
        self.period = 0
        self.permits = []  # (permit, period), not settled yet
        self.settled = []
        self.row = []  # CLOSED: verdicts of this period as (when, failed)
        self.passed = 0  # HALF_OPEN: probes of this period that succeeded
        self.since = self.cool_at = 0.0
        self.trips = 0
        self.state = State.CLOSED

    # The second breaker.

    def enters(self, state):
        WALKED.add((self.state, state))
        if self.state is State.CLOSED:
            self.trips = max(0, self.trips - int((self.now - self.since) // 4.0))
        if state is State.OPEN:
            self.trips += 1
            growth_s = self.config.cool_down_growth_s * (self.trips - 1)
            self.cool_at = self.now + min(6.0, 2.0 + growth_s)
        self.state, self.since = state, self.now
        self.period += 1
        self.row, self.passed = [], 0

    def probes_out(self):
        return len([period for _, period in self.permits if period == self.period])

    def should_admit(self):
        if self.state is State.OPEN and self.now >= self.cool_at:
            self.enters(State.HALF_OPEN)
        if self.state is State.HALF_OPEN:
            return self.probes_out() + self.passed < self.config.probes
        return self.state is State.CLOSED

    def should_trip(self):
        in_a_row = self.config.consecutive_failures
        if in_a_row and len(self.row) >= in_a_row and all(f for _, f in self.row[-in_a_row:]):
            return True
        recent = [failed for at, failed in self.row[-6:] if self.now - at <= 5.0]
        if not self.config.failure_percent or len(recent) < self.config.least_calls:
            return False
        return sum(recent) / len(recent) >= self.config.failure_percent / 100

    def learns(self, failed):
        if self.state is State.HALF_OPEN:
            self.passed += not failed
            if failed:
                self.enters(State.OPEN)
            elif self.passed == self.config.probes:
                self.enters(State.CLOSED)
            return
        self.row.append((self.now, failed))
        if self.should_trip():
            self.enters(State.OPEN)

    # What may happen.

    @rule()
    def somebody_asks(self):
        before = self.breaker.state
        foretold = self.breaker.admits(self.now)
        assert self.breaker.state is before
        permit = self.breaker.admit(self.now)
        assert (permit is not None) is foretold is self.should_admit()
        if permit is not None:
            self.permits.append((permit, self.period))
        self.both_agree()
        if self.breaker.state is State.CLOSED:
            assert before is State.CLOSED  # time alone closes nothing

    @rule(which=st.integers(0, 20), verdict=st.sampled_from(Verdict), cancels=st.booleans())
    def somebody_settles(self, which, verdict, cancels):
        if not self.permits:
            return
        permit, period = self.permits.pop(which % len(self.permits))
        self.settled.append(permit)
        before, told_before = self.breaker.state, repr(self.breaker)
        if cancels:
            self.breaker.cancel(permit, self.now)
        else:
            self.breaker.record(permit, verdict, self.now)
        if period != self.period:
            assert repr(self.breaker) == told_before  # a straggler
        elif not cancels and verdict is not Verdict.IGNORED:
            self.learns(verdict is Verdict.FAILURE)
        self.both_agree()
        if cancels or verdict is not Verdict.SUCCESS:
            assert self.breaker.state is not State.CLOSED or before is State.CLOSED

    @rule(failures=st.integers(1, 6))
    def several_fail_in_a_row(self, failures):
        for _ in range(failures):
            self.somebody_asks()
            self.somebody_settles(len(self.permits) - 1, Verdict.FAILURE, False)

    @rule()
    def somebody_succeeds(self):
        self.somebody_asks()
        self.somebody_settles(len(self.permits) - 1, Verdict.SUCCESS, False)

    @rule(which=st.integers(0, 20), verdict=st.sampled_from(Verdict))
    def somebody_settles_twice(self, which, verdict):
        if self.settled:
            self.breaker.record(self.settled[which % len(self.settled)], verdict, self.now)

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def it_cools_down(self):
        self.now = max(self.now, self.cool_at)

    # What must hold.

    @invariant()
    def both_agree(self):
        assert self.breaker.state is self.state
        assert self.breaker.since == self.since
        if self.state is State.OPEN:
            assert self.breaker.cool_at == self.cool_at

    @invariant()
    def there_are_never_more_probes_than_permitted(self):
        if self.state is State.HALF_OPEN:
            assert self.probes_out() + self.passed <= self.config.probes

    @invariant()
    def who_is_half_open_is_not_stuck(self):
        """A place is free, or somebody out there can still free one."""
        if self.state is State.HALF_OPEN:
            assert self.breaker.admits(self.now) or self.probes_out()


class Walks(Walk.TestCase):
    """Run below; the seed of the run decides what is tried."""

    __test__ = False

    settings = settings(max_examples=200, stateful_step_count=40)


def test_on_every_walk_both_agree_and_together_they_take_every_step_of_the_table():
    WALKED.clear()
    Walks("runTest").runTest()
    assert WALKED == STEPS
