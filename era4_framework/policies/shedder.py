"""Load shedding: refuse at the door what would only wait inside.

Work that queues for a thread is late before it begins; its caller gives up, and the answer is made
for nobody. Beyond a limit of requests in flight a service serves more by refusing at once: the
refusal is cheap, certain (nothing was executed), and sends the caller to another instance.
"""


class Shedder:
    """Counts requests in flight, up to `most_in_flight`."""

    __slots__ = ("in_flight", "most_in_flight")

    def __init__(self, most_in_flight: int) -> None:
        self.most_in_flight = most_in_flight
        self.in_flight = 0

    def __repr__(self) -> str:
        return f"<Shedder {self.in_flight} of {self.most_in_flight}>"

    def try_enter(self) -> bool:
        """Let a request in if there is room; returns whether there was. Who is in must `leave`."""
        if self.in_flight >= self.most_in_flight:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """A request that was let in has ended. Raises ValueError if none is in."""
        if not self.in_flight:
            raise ValueError("left more often than entered")
        self.in_flight -= 1
