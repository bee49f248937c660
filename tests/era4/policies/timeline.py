"""What timelines of a breaker have in common: the famous configurations, and calls made of it."""

from era4_framework.config import BreakerConfig
from era4_framework.policies.breaker import Breaker, State, Verdict

HYSTRIX = BreakerConfig(
    consecutive_failures=0,
    failure_percent=50,
    least_calls=20,
    window_calls=1000,
    window_s=10,
    cool_down_s=5,
)
RESILIENCE4J = BreakerConfig(
    consecutive_failures=0,
    failure_percent=50,
    least_calls=100,
    window_calls=100,
    window_s=3600,
    cool_down_s=60,
    probes=10,
)
ENVOY = BreakerConfig(
    consecutive_failures=5, cool_down_s=30, cool_down_growth_s=30, longest_cool_down_s=300
)
OURS = BreakerConfig(consecutive_failures=5, cool_down_s=1.0)


def call(breaker, verdict, now, times=1):
    """So many calls, one after another, that come to this."""
    for _ in range(times):
        permit = breaker.admit(now)
        assert permit is not None, f"{breaker} admits nobody at {now}"
        breaker.record(permit, verdict, now)


def tripped(config, now=0.0):
    """A breaker that has just opened."""
    breaker = Breaker(config)
    while breaker.state is State.CLOSED:
        call(breaker, Verdict.FAILURE, now)
    return breaker
