"""How much may be under way? A model of the path: its rate, and its shortest round trip.

TCP's first answer (Jacobson 1988; RFC 5681; CUBIC, RFC 9438) takes every loss for a full queue and
halves. On a wire that loses packets by accident, one in a hundred is enough to bring it to a
crawl. This controller asks the path instead, after the idea of BBR (Cardwell et al., ACM Queue
2016): what rate did the last acknowledgements show, how long is a round trip when no queue
stands? Their product is what fits on the path; a little more than that is a queue, and a queue
shows in the round trip before it overflows. So it can tell an accident from congestion: loss
*without* a longer round trip is sent around, loss *with* it is not.

          rate stopped growing, or a queue    no more in flight than fits
    STARTUP ------------------------> DRAIN ------------------------> CRUISE
       ^                                                               |   ^
       |  three timeouts in a row                  no short RTT for v   | 200 ms
       +--------------------------- any state      10 s, or 3 rounds  PROBE_RTT
       +-------------------------------------------- tenfold longer ------+
                             the path has become longer

The file is long so that picture and phases stand together.
"""

from collections import deque
from enum import Enum

START_WINDOW = 32.0  # segments; RFC 6928 allows 10, and the model soon knows better than either
LEAST_WINDOW = 4.0
STARTUP_GAIN = 2.885  # 2 / ln 2, the smallest gain that doubles the rate each round (BBR)
DRAIN_GAIN = 1 / STARTUP_GAIN
CRUISE_GAINS = (1.25, 0.75, 1, 1, 1, 1, 1, 1)  # ask for more, give the queue back, hold
RATE_ROUNDS = 10  # the best rate of this many rounds is the path's
MIN_RTT_LIFE_S = 10.0
PROBE_RTT_S = 0.2
# Spaced acknowledgements, coarse timers, packets taken in by the turn: what waits in them is under
# way as well (BBR's extra_acked). Without this a gigabit at 1 ms loses a sixth of its rate.
HELD_BACK_S = 0.006
STRETCH = 10  # times the shortest round trip
SHORT_QUEUE = 2  # packets
LOSS_SAMPLE = 50  # segments decided before a loss ratio is believed
LEAST_SHARE = 8.0  # segments: below that a loss can only be found by waiting
YIELD = 0.7  # of what was in flight when a neighbour's queue overflowed
ASK = 3 * (1 - YIELD) / (1 + YIELD)  # segments a round
MOST_LOSS = 0.4  # never send more than 1 / (1 - this) for one segment's worth of delivery


class Phase(Enum):
    STARTUP = "startup"
    DRAIN = "drain"
    CRUISE = "cruise"
    PROBE_RTT = "probe rtt"


class RateModel:
    """`cwnd` (segments in flight) and `pace` (segments a second, 0: as they come) to be obeyed."""

    def __init__(self, cwnd: float = START_WINDOW) -> None:
        self.cwnd = cwnd
        self.pace = 0.0
        self.phase = Phase.STARTUP
        self.rate = 0.0  # segments/s that the path delivered, the best of the last rounds
        self.min_rtt_s = 0.0  # 0: not known yet
        self.loss = 0.0  # smoothed share of segments that were lost
        self._min_rtt_seen_at = 0.0
        self._rates: deque[tuple[int, float]] = deque()  # (round, rate), rates falling
        self._round = 0
        self._round_rtt_s = 0.0  # the shortest of this round
        self._round_acked = self._round_lost = 0
        self._queued_before = False
        self._clean = True  # no queue stood while this sample of losses was taken
        self._ceiling = 0.0  # segments in flight that the neighbours bear; 0: no sign of any
        self._plateau_rate = 0.0
        self._plateau_rounds = 0
        self._cycle = 0
        self._stretched_rounds = 0
        self._before_probe_s = 0.0  # the minimum before it was asked for again
        self._since = 0.0  # when this phase, or this step of the cruise, began
        self._acked = self._lost = 0

    def __repr__(self) -> str:
        return (
            f"<RateModel {self.phase.value} rate={self.rate:.0f}/s "
            f"min_rtt={self.min_rtt_s * 1e3:.1f}ms cwnd={self.cwnd:.0f} loss={self.loss:.1%}>"
        )

    def on_lost(self, count: int) -> None:
        """Count segments believed lost; what that means is decided at the next round's end."""
        self._round_lost += count

    def on_ack(
        self,
        now: float,
        acked: int,
        rate: float,
        rtt_s: float,
        srtt_s: float,
        in_flight: int,
        round_ended: bool,
    ) -> None:
        """Learn from one acknowledgement.

        acked: segments it newly covers; rate: the delivery rate it shows, segments/s, 0 if none;
        rtt_s: its round trip, 0 if none; round_ended: what was sent a round trip ago is answered.
        """
        self._round_acked += acked
        if rtt_s:
            self._learn_rtt(now, rtt_s)
        # Even the round's luckiest packet had to queue: the path is full (HyStart, RFC 9406).
        queueing = self._round_rtt_s > self._longer_rtt_s()
        if round_ended:
            self._round += 1
            self._learn_ceiling(in_flight, queueing)
            self._learn_accidents(queueing)
            self._learn_stretch()
            self._round_rtt_s = rtt_s
            self._round_acked = self._round_lost = 0
        if rate:
            self._learn_rate(rate)
        if not self.rate or not self.min_rtt_s:
            return
        fits = self.rate * self.min_rtt_s
        self._move(now, fits, in_flight, round_ended, queueing)
        self._obey(fits, srtt_s)

    def _longer_rtt_s(self) -> float:
        """The round trip from which on we speak of a queue: a few packets are none."""
        few_packets_s = SHORT_QUEUE / self.rate if self.rate else 0.0
        return 1.1 * self.min_rtt_s + max(0.002, few_packets_s)

    def _learn_rtt(self, now: float, rtt_s: float) -> None:
        self._round_rtt_s = min(self._round_rtt_s or rtt_s, rtt_s)
        if not self.min_rtt_s or rtt_s < self.min_rtt_s:
            self.min_rtt_s = rtt_s
            self._min_rtt_seen_at = now
        elif rtt_s < self.min_rtt_s * 1.05:  # the queue was empty: the minimum still stands
            self._min_rtt_seen_at = now
        elif self.phase is Phase.PROBE_RTT and now - self._since > PROBE_RTT_S / 2:
            self.min_rtt_s = rtt_s  # with the path nearly empty this is its length now
            self._min_rtt_seen_at = now

    def _learn_ceiling(self, in_flight: int, queueing: bool) -> None:
        """More loss than accidents explain, while a queue stood all round, is somebody's full
        buffer: others want the path too. Yield as CUBIC does, to 0.7 of what is in flight; then ask
        for so much more each round that the average equals a classic TCP's (RFC 9438 4.3)."""
        decided = self._round_acked + self._round_lost
        if queueing and self._round_lost > 2 * self.loss * decided:
            fits = self.rate * self.min_rtt_s  # less than that would leave the path idle
            self._ceiling = max(LEAST_SHARE, fits, YIELD * (in_flight + self._round_lost))
        elif self._ceiling:
            self._ceiling += ASK

    def _learn_accidents(self, queueing: bool) -> None:
        """How often packets are lost without a queue. A queue can only add to that, so what is lost
        with one is a bound from above: otherwise a neighbour's full buffer, once taken for an
        accident, would never be recognised again."""
        self._acked += self._round_acked
        self._lost += self._round_lost
        # a queue's losses are noticed up to a round after it has gone
        self._clean = self._clean and not queueing and not self._queued_before
        self._queued_before = queueing
        decided = self._acked + self._lost
        if decided < LOSS_SAMPLE:
            return
        share = self._lost / decided
        if self._clean or share < self.loss:
            self.loss = 0.7 * self.loss + 0.3 * share if self.loss else share
        self._acked = self._lost = 0
        self._clean = True

    def _learn_stretch(self) -> None:
        """Round trips many times the shortest are no queue that we could have made: the path has
        become longer, and to believe the old minimum for its ten seconds would starve us."""
        stretched = self._round_rtt_s > STRETCH * self.min_rtt_s + 0.020
        self._stretched_rounds = self._stretched_rounds + 1 if stretched else 0

    def _learn_rate(self, rate: float) -> None:
        rates = self._rates
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self._round, rate))
        while rates[0][0] < self._round - RATE_ROUNDS:
            rates.popleft()
        self.rate = rates[0][1]

    def _move(
        self, now: float, fits: float, in_flight: int, round_ended: bool, queueing: bool
    ) -> None:
        if self.phase is Phase.PROBE_RTT:
            if now - self._since > PROBE_RTT_S + self.min_rtt_s:
                self._end_probe(now)
        elif self._stretched_rounds >= 3:
            self._enter(Phase.PROBE_RTT, now)
        elif self.phase is Phase.STARTUP:
            if round_ended and (queueing or self._rate_stopped_growing()):
                self._enter(Phase.DRAIN, now)
        elif self.phase is Phase.DRAIN:
            if in_flight <= max(fits, LEAST_WINDOW):
                self._enter(Phase.CRUISE, now)
        elif now - self._min_rtt_seen_at > MIN_RTT_LIFE_S:
            self._enter(Phase.PROBE_RTT, now)
        elif now - self._since > self.min_rtt_s:
            self._cycle = (self._cycle + 1) % len(CRUISE_GAINS)
            self._since = now

    def _end_probe(self, now: float) -> None:
        self._min_rtt_seen_at = now
        longer = self.min_rtt_s > 2 * self._before_probe_s
        if longer:  # another path: what was known of its rate is worth nothing
            self._plateau_rate, self._plateau_rounds = self.rate, 0
        self._enter(Phase.STARTUP if longer else Phase.CRUISE, now)

    def _enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self._since = now
        self._cycle = 0
        self._stretched_rounds = 0
        self._before_probe_s = self.min_rtt_s

    def _rate_stopped_growing(self) -> bool:
        if self.rate > self._plateau_rate * 1.25:
            self._plateau_rate = self.rate
            self._plateau_rounds = 0
            return False
        self._plateau_rounds += 1
        return self._plateau_rounds >= 3

    def _obey(self, fits: float, srtt_s: float) -> None:
        if self.phase is Phase.PROBE_RTT:  # the path must run empty; what neighbours bear stands
            self.pace, self.cwnd = self.rate, max(LEAST_WINDOW, fits / 2)
            return
        extra = 1.0
        # an accident, not congestion: send around it
        if self.loss > 0.005 and srtt_s < self._longer_rtt_s():
            extra = 1 / (1 - min(self.loss, MOST_LOSS))
        if self.phase is Phase.STARTUP:
            gain, window = STARTUP_GAIN, 2 * fits
        elif self.phase is Phase.DRAIN:
            gain, window = DRAIN_GAIN, 2 * fits
        else:
            gain, window = CRUISE_GAINS[self._cycle], 2 * fits
        self.pace = gain * self.rate * extra
        held_back = HELD_BACK_S * self.rate
        self.cwnd = max(LEAST_WINDOW, window * extra + LEAST_WINDOW + held_back)
        if self._ceiling >= self.cwnd:
            self._ceiling = 0.0
        elif self._ceiling:
            self.cwnd = self._ceiling
