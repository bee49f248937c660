"""Our greeting: the number we start at, when it is said (again), when nobody is going to answer.

Nothing follows a greeting, so only a clock can tell that it was lost. The patience doubles as it
does for any packet, but only up to half a second: one small packet burdens nobody, and a wire may
lose a third of them.
"""

from era1_raw_network.codec import nearest

CONNECT_S = 3.0  # no answer to a greeting for so long: unreachable
MOST_HELLO_S = 0.5  # between two of them


class Opening:
    """Times are seconds of the connection's clock."""

    def __init__(self, first: int) -> None:
        """first: the number of the greeting; that of our first segment follows it."""
        self.first = first
        self.due_at: float | None = None  # when SYN or SYNACK is to be said (again)
        self._began_at = 0.0
        self._said = 0

    def begin(self, now: float) -> None:
        """The greeting is due, and has not been said yet."""
        self._began_at = self.due_at = now
        self._said = 0

    def said(self, now: float, rto_s: float) -> None:
        """It leaves now; unless an answer comes it is due again."""
        self.due_at = now + min(rto_s * (1 << self._said), MOST_HELLO_S)
        self._said += 1

    def is_named_by(self, ack: int) -> bool:
        """Whether this acknowledgement, as it travels, answers our greeting and nothing else."""
        return nearest(ack, self.first + 1) == self.first + 1

    def round_trip_s(self, now: float) -> float | None:
        """How long the answer that comes now has taken; None if nobody can know.

        Karn: after a retransmission nobody knows which copy was answered.
        """
        return max(now - self._began_at, 1e-6) if self._said == 1 else None

    @property
    def ends_at(self) -> float:
        """When it is too late for an answer."""
        return self._began_at + CONNECT_S
