"""The sending half: what may leave and when; `flight.py` knows what became of what has left.

Pure: acknowledgements and clock readings in, packets to send out. Three clocks of rising patience
tell a lost packet from a late one:

 1. a packet sent well *after* it has arrived: lost (fast retransmit; RFC 5681 counts three, RFC
    8985 and RFC 9002 also allow a little time; how far the wire reorders is learned, not assumed);
 2. silence for about a round trip after the last packet: the tail may be lost, and nothing that
    follows will tell, so send a probe (tail-loss probe, RFC 8985 section 7);
 3. silence after the probe too: probe again, each time waiting twice as long (RFC 6298 (5.5)).

And three limits say how much may go: the peer's window (flow control: its memory), the congestion
window (the path's room), the pace (the path's rate; what leaves in one burst arrives in a queue).

The file is long because all of these share one state, and whoever looks for what makes a packet
leave must find every reason in one place.
"""

from collections import deque
from collections.abc import Iterator

from era1_raw_network.codec import END, FIN
from era1_raw_network.congestion import LEAST_WINDOW, RateModel
from era1_raw_network.flight import SAFE_PAYLOAD, Flight, Piece
from era1_raw_network.rtt import Estimator

MAX_BACKOFF = 6  # 2^6 timeouts is the longest silence between two probes
LONGEST_SILENCE_S = 1.0  # but not longer than this: a wire that heals should be noticed
PROBES = 2  # packets per timeout: one alone may be lost as well
PACING_QUANTUM_S = 0.001  # timers are coarse: send what is due within this
UNPACED = 8  # so few packets in flight need no spacing
BLACK_HOLE_LOSSES = 6  # large packets lost in a row, and none arrived: the path takes smaller ones


class Sender:
    """Sends the stream of segments numbered from `first_seq`, each of at most `mss` payload bytes.

    Obeys `peer_window` (segments); `rtt` and `congestion` may be given for tests.
    """

    def __init__(
        self,
        first_seq: int,
        mss: int,
        rtt: Estimator | None = None,
        congestion: RateModel | None = None,
    ) -> None:
        self.mss = mss
        self.rtt = rtt or Estimator()
        self.congestion = congestion or RateModel()
        self.flight = Flight(first_seq)
        self.queue: deque[tuple[bytes, int]] = deque()  # (payload, flags), never sent yet
        self.peer_window = UNPACED
        self.probe_at: float | None = None
        self.probes_due = 0
        self.backoff = 0
        self.sent = self.resent = self.timeouts = self.silences = self.black_holes = 0
        self._window_packet = 0
        self._round_ends = 0
        self._pace_next = 0.0
        self._last_sent = 0.0

    def __repr__(self) -> str:
        return (
            f"<Sender {self.flight!r} queued={len(self.queue)} "
            f"peer_window={self.peer_window} {self.congestion!r}>"
        )

    @property
    def counts(self) -> dict[str, int]:
        """What happened so far, for the trace and for tests."""
        return {
            "sent": self.sent,
            "resent": self.resent,
            "lost": self.flight.lost,
            "spurious": self.flight.spurious,
            "timeouts": self.timeouts,
            "silences": self.silences,
            "black_holes": self.black_holes,
        }

    @property
    def una(self) -> int:
        """The oldest segment that is not acknowledged."""
        return self.flight.una

    @property
    def next(self) -> int:
        """The segment that leaves next for the first time."""
        return self.flight.next

    @property
    def packet(self) -> int:
        """The number of the next transmission."""
        return self.flight.packet

    @property
    def in_flight(self) -> int:
        """Segments sent, and neither acknowledged nor believed lost."""
        return self.flight.in_flight

    @property
    def idle(self) -> bool:
        """Everything handed over has been acknowledged."""
        return self.flight.una == self.flight.next and not self.queue

    @property
    def blocked(self) -> bool:
        """Something to send, nothing on its way, and no room at the peer: a zero window."""
        nothing_out = self.flight.una == self.flight.next
        return nothing_out and bool(self.queue) and self.peer_window <= 0

    def push(self, message: bytes) -> None:
        """Queue a message, cut into segments; the last one is marked END."""
        mss = self.mss
        last = max(0, (len(message) - 1) // mss * mss)
        for start in range(0, last, mss):
            self.queue.append((message[start : start + mss], 0))
        self.queue.append((message[last:], END))

    def finish(self) -> None:
        """Queue the end of the stream. It has a number of its own, so it is acknowledged like data
        and cannot overtake any (RFC 9293: a FIN occupies sequence space)."""
        self.queue.append((b"", FIN))

    # --- what comes back

    def on_ack(
        self, now: float, ack: int, sacked: int, echo: int, ack_delay_s: float, window: int
    ) -> bool:
        """Learn from an acknowledgement; False if it acknowledges what was never sent.

        ack: all segments before it arrived; sacked: bitmap of those after it; echo: the packet that
        caused it; ack_delay_s: how long the peer held it back; window: segments it has room for.
        """
        flight = self.flight
        if ack + sacked.bit_length() > flight.next or echo >= flight.packet:
            return False
        if echo >= self._window_packet:  # an older acknowledgement may carry an older window
            self._window_packet = echo
            self.peer_window = window
        acked = flight.mark_delivered(now, ack, sacked)
        lesson = flight.learn(now, echo, acked, ack_delay_s)
        if lesson.rtt_s:
            self.rtt.sample(lesson.rtt_s)
            if not self.blocked:  # an answer without room is no progress (RFC 9293 3.8.6.1)
                self.backoff = 0
        self._detect_losses(now)
        if acked or lesson.rtt_s:
            rate = lesson.rate
            if lesson.starved and rate < self.congestion.rate:
                rate = 0.0  # it says how little we had to send, not what the path can take
            self._tell_congestion(now, acked, rate, lesson.rtt_s)
        self.arm(now)
        return True

    def _detect_losses(self, now: float) -> None:
        lost = self.flight.detect_losses(now, self.rtt)
        if lost:
            self.congestion.on_lost(lost)

    def _tell_congestion(self, now: float, acked: int, rate: float, rtt_s: float) -> None:
        flight = self.flight
        round_ended = flight.highest_echo >= self._round_ends
        if round_ended:
            self._round_ends = flight.packet
        self.congestion.on_ack(
            now, acked, rate, rtt_s, self.rtt.srtt_s, flight.in_flight, round_ended
        )

    # --- time

    def arm(self, now: float) -> None:
        """Set the probe timer: from the last packet sent, twice as long after each silence."""
        flight = self.flight
        if self.idle or not (flight.in_flight or flight.resend or self.blocked):
            self.probe_at = None
        elif not self.blocked:
            self.probe_at = self._last_sent + self._timeout_s()
        elif self.probe_at is None:  # a lost window update must not be waited for for ever
            self.probe_at = now + self._timeout_s()

    def _timeout_s(self) -> float:
        base = self.rtt.rto_s
        return max(base, min(base * (1 << min(self.backoff, MAX_BACKOFF)), LONGEST_SILENCE_S))

    def next_wakeup(self) -> float | None:
        """When this half must be asked again, if nothing arrives; None for never."""
        due, loss_at = self.probe_at, self.flight.loss_at
        if loss_at is not None and (due is None or loss_at < due):
            due = loss_at
        if self.may_send():
            send_at = self._pace_next if self.flight.in_flight >= UNPACED else 0.0
            if due is None or send_at < due:
                due = send_at
        return due

    def wake(self, now: float) -> None:
        """Clocks 1 to 3 of the docstring, if their time has come."""
        loss_at = self.flight.loss_at
        if loss_at is not None and now >= loss_at:
            self._detect_losses(now)
            self.arm(now)
        if self.probe_at is None or now < self.probe_at:
            return
        self.timeouts += 1
        self.backoff += 1
        if self.backoff == 3 and self.flight.in_flight > PROBES:  # no lost tail: the path is gone
            self.silences += 1
            self.congestion = RateModel(LEAST_WINDOW)  # it is not what it was: begin anew
        if self.flight.large_lost >= BLACK_HOLE_LOSSES and self.mss > SAFE_PAYLOAD:
            self.black_holes += 1
            self.mss = SAFE_PAYLOAD
        self.probes_due = PROBES
        self._last_sent = now
        self.probe_at = now + self._timeout_s()

    # --- what goes out

    def may_send(self) -> bool:
        """Is there a packet that all limits but the pace allow?"""
        if self.probes_due:
            return True
        flight = self.flight
        if flight.in_flight >= self.congestion.cwnd:
            return False
        if flight.resend:
            return True
        return bool(self.queue) and flight.next - flight.una < self.peer_window

    def probe(self) -> Iterator[tuple[int, Piece]]:
        """The oldest unacknowledged pieces, sent again because a timeout says so.

        With nothing outstanding (a zero window) nothing is given: the caller asks with a PING.
        """
        wanted, self.probes_due = self.probes_due, 0
        for chosen in self.flight.oldest(wanted):
            self.resent += 1
            yield chosen

    def due(self, now: float, most: int) -> Iterator[tuple[int, Piece]]:
        """Up to `most` pieces that may leave now: the lost ones first, then new ones."""
        congestion, flight = self.congestion, self.flight
        interval = 1 / congestion.pace if congestion.pace else 0.0
        if self._pace_next < now - 2 * PACING_QUANTUM_S:  # unused time may not be saved up
            self._pace_next = now - 2 * PACING_QUANTUM_S if flight.in_flight else now
        horizon = now + PACING_QUANTUM_S
        for _ in range(most):
            if flight.in_flight >= congestion.cwnd:
                return
            if interval and flight.in_flight >= UNPACED and self._pace_next > horizon:
                return
            chosen = self._next_lost() if flight.resend else None
            chosen = chosen or self._next_new()
            if chosen is None:
                return
            self._pace_next += interval
            yield chosen

    def _next_lost(self) -> tuple[int, Piece] | None:
        chosen = self.flight.next_lost()
        if chosen is not None:
            self.resent += 1
        return chosen

    def _next_new(self) -> tuple[int, Piece] | None:
        flight = self.flight
        if not self.queue or flight.next - flight.una >= self.peer_window:
            return None
        return flight.add(*self.queue.popleft())

    def number(self, now: float, seq: int, piece: Piece | None) -> int:
        """A number for the packet that carries `piece` (None: a PING); its departure is kept."""
        if piece is not None:
            self._last_sent = now
        self.sent += 1
        return self.flight.number(now, seq, piece, self.rtt.srtt_s, not self.queue)
