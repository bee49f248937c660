"""When to acknowledge: soon enough for the sender's timers, seldom enough not to be a load itself.

At once for every second segment (RFC 5681 section 4.2), for the end of a message, and whenever the
order is disturbed, because that news repairs a loss. Else a moment later, in the hope that data
going the other way will carry it for nothing. And never denser than `SPACING_S`: at a gigabit an
acknowledgement for two segments costs both sides more than the segments do.
"""

from era1_raw_network.codec import ACK_DELAY_UNIT_S, nearest

EVERY = 2  # segments
DELAY_S = 0.002  # the longest an acknowledgement waits for company
SPACING_S = 0.00025  # the least time between two

AT_ONCE = 0.0  # any moment that has passed


class Acknowledger:
    """Counts what arrived since the last acknowledgement left; `due_at` is when the next must."""

    def __init__(self) -> None:
        self.echo = 0  # the packet that arrived last
        self.due_at: float | None = None
        self._echo_at = 0.0
        self._left_at = 0.0
        self._unacked = 0

    def arrived(self, now: float, packet: int, urgent: bool) -> None:
        """A packet with this 32-bit number arrived, and deserves an answer."""
        self.echo, self._echo_at = nearest(packet, self.echo), now
        self._unacked += 1
        urgent = urgent or self._unacked >= EVERY
        due_at = self._left_at + SPACING_S if urgent else now + DELAY_S
        if self.due_at is None or due_at < self.due_at:
            self.due_at = due_at

    def at_once(self) -> None:
        """The peer should hear from us now."""
        self.due_at = AT_ONCE

    def asked(self, now: float, packet: int) -> None:
        """A PING with this 32-bit number arrived."""
        self.echo, self._echo_at = nearest(packet, self.echo), now
        self.at_once()

    def left(self, now: float, says_all: bool) -> None:
        """A packet that acknowledges is leaving. Only one that `says_all` settles the matter: data
        carries no bitmap, so while there is a gap the acknowledgement proper is still due."""
        self._unacked = 0
        if says_all:
            self.due_at = None
            self._left_at = now

    def delay(self, now: float) -> int:
        """How long the echoed packet has been waiting here, in the header's unit."""
        return min(int((now - self._echo_at) / ACK_DELAY_UNIT_S), 0xFFFF)
