"""Challenges, counted: who sends us doubtful packets must not make us send as many (RFC 5961).

They are counted per connection, not globally: a global count can be read by a stranger, who then
knows whether the packets that it guessed were near (CVE-2016-5696).
"""

from collections import deque

CHALLENGES, CHALLENGE_SPAN_S = 10, 5.0  # at most so many in so long (section 7)


class Challenges:
    """Those that one connection has sent."""

    def __init__(self) -> None:
        self._sent_at: deque[float] = deque(maxlen=CHALLENGES)

    def try_send(self, now: float) -> bool:
        """Whether one more may be sent; then it is counted."""
        sent_at = self._sent_at
        if len(sent_at) == CHALLENGES and now - sent_at[0] < CHALLENGE_SPAN_S:
            return False
        sent_at.append(now)
        return True
