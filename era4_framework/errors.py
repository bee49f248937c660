"""What may go wrong between two services: two families, parted by the one question that matters.

May the request be sent again? `Unreachable`: it certainly was not executed, so it may. `NoAnswer`:
perhaps it was, so only a request that its receiver recognises may. (Maelstrom calls such errors
definite and indefinite.) Outcomes of the business are values and never come this way.

| kind           | family      | whose fault                      | what was seen                  |
|----------------|-------------|----------------------------------|--------------------------------|
| NoInstance     | Unreachable | whoever runs the services        | nobody is registered           |
| ConnectFailed  | Unreachable | the callee, or the network       | no connection came about       |
| CircuitOpen    | Unreachable | the callee, a moment ago         | our breaker spared us the call |
| Overloaded     | Unreachable | the callee: full, or closing     | 503, refused at the door       |
| NotKnown       | Unreachable | the caller's secret, or theirs   | 401                            |
| Denied         | Unreachable | the caller: it may not           | 403                            |
| QuotaExceeded  | Unreachable | the caller: too many requests    | 429                            |
| DeadlinePassed | Unreachable | the caller: too little time left | 504, or not sent at all        |
| Timeout        | NoAnswer    | nobody knows                     | silence                        |
| ConnectionLost | NoAnswer    | the callee, or the network       | the end before the answer      |
| BadAnswer      | NoAnswer    | the callee                       | 500, 502, or nonsense          |
"""

import copy
from typing import Self


class CallFailed(Exception):
    """A request that came to no outcome. Raised are its kinds only.

    retry_after_s: how long the callee wants to be left alone; 0 if it did not say.
    """

    def __init__(self, why: str, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s

    def saying(self, why: str) -> Self:
        """The same error in other words; what else it carries stays."""
        told = copy.copy(self)
        told.args = (why,)
        return told


class Unreachable(CallFailed):
    """The request certainly was not executed; it may be sent again."""


class NoInstance(Unreachable):
    """Nobody is registered under this name: there is nobody to ask."""


class ConnectFailed(Unreachable):
    """No connection came about: refused, or not within the time for it."""


class CircuitOpen(Unreachable):
    """The instance failed too often a moment ago; our own breaker did not let the request leave."""


class Overloaded(Unreachable):
    """The instance is full or closing down and refused at its door; another one may have room."""


class NotKnown(Unreachable):
    """The callee does not believe who asks; another one, with another secret or clock, may."""


class Denied(Unreachable):
    """The callee knows who asks, and it may not ask this: asking on is no use."""


class QuotaExceeded(Unreachable):
    """The caller has used what it may use for now, with whichever instance."""


class DeadlinePassed(Unreachable):
    """Nobody waits for the answer any more, so nothing was done for it."""


class NoAnswer(CallFailed):
    """Perhaps the request was executed; only one that the callee recognises may be sent again."""


class Timeout(NoAnswer):
    """It left, and then there was silence."""


class ConnectionLost(NoAnswer):
    """The connection ended before the answer was whole."""


class BadAnswer(NoAnswer):
    """The callee failed in the middle of it (500, 502), or its answer makes no sense."""
