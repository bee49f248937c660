"""Which instance is asked? The less busy of two drawn at random, or each in its turn.

To ask the least busy of all sends every caller to the same one; to ask any gives a slow one as much
as a fast one. The better of two random choices is nearly as good as the best and never herds
(Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001; Finagle's P2C).
Busy means calls of ours in flight, so a slow instance shows by itself: its calls stay longer.

Who is in the draw:
1. those whose breaker admits a call and who have not been tried for this request yet;
2. if there are none, those whose breaker admits a call;
3. if there are none, panic: everybody, rather who was not tried. When all breakers are open, they
   say more about the caller's network than about any instance. (Envoy panics below 50 % healthy.)
   The breaker of who is chosen so gives no permit, and learns nothing.

Who was tried may have said when to come again (Retry-After). That is asked for itself and not for
its neighbours (RFC 9110, 10.2.3), so it is a reason to wait only if it is in the next draw.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Protocol, TypeVar

from era4_framework.config import BalancerConfig


class Candidate(Protocol):
    """Whoever may be asked."""

    @property
    def in_flight(self) -> int:
        """How many calls of ours it has not answered yet."""


C = TypeVar("C", bound=Candidate)


class Balancer:
    """One for each service that is called; draws from `rng`."""

    def __init__(self, config: BalancerConfig, rng: Random) -> None:
        self._rng = rng
        self._takes_turns = config.kind == "round_robin"
        self._turn = rng.randrange(2**16)  # callers that start together begin apart

    def pick(
        self, candidates: Sequence[C], admits: Callable[[C], bool], tried: Collection[C] = ()
    ) -> C | None:
        """Choose one of `candidates`; None if there are none.

        admits: whether a candidate's breaker would; tried: who was asked for this request before.
        """
        if not candidates:
            return None
        drawn = in_the_draw(candidates, admits, tried)
        return self._next_in_turn(drawn) if self._takes_turns else self._less_busy_of_two(drawn)

    def _next_in_turn(self, drawn: Sequence[C]) -> C:
        self._turn += 1
        return drawn[self._turn % len(drawn)]

    def _less_busy_of_two(self, drawn: Sequence[C]) -> C:
        count = len(drawn)
        if count == 1:
            return drawn[0]
        # one draw for both, so each pair of different ones is equally likely
        draw = int(self._rng.random() * count * (count - 1))
        first, distance = draw % count, 1 + draw // count
        one, other = drawn[first], drawn[first - distance]  # below 0 it counts from the end
        return one if one.in_flight < other.in_flight else other


def in_the_draw(
    candidates: Sequence[C], admits: Callable[[C], bool], tried: Collection[C]
) -> Sequence[C]:
    """Those of `candidates` among whom one is chosen; `admits` and `tried` as for `pick`."""
    drawn: Sequence[C] = list(filter(admits, candidates)) or candidates
    if not tried:
        return drawn
    return [each for each in drawn if each not in tried] or drawn


def rest_s(drawn: Sequence[C], tried: Mapping[C, float], now: float) -> float:
    """Seconds until all who are in the next draw may be asked; 0.0 at once.

    tried: until when each who was asked before wants to be left alone, on the clock of `now`.
    """
    return max([0.0, *(tried.get(each, now) - now for each in drawn)])
