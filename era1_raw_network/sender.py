"""The sending half: keep what is not acknowledged, find out what is lost, send it again, in bounds.

Pure: acknowledgements and clock readings in, packets to send out. Three clocks of rising patience
tell a lost packet from a late one:

 1. a packet sent well *after* it has arrived: lost (fast retransmit; RFC 5681 counts three, RFC
    8985 and RFC 9002 also allow a little time; how far the wire reorders is learned, not assumed);
 2. silence for about a round trip after the last packet: the tail may be lost, and nothing that
    follows will tell, so send a probe (tail-loss probe, RFC 8985 section 7);
 3. silence after the probe too: probe again, each time waiting twice as long (RFC 6298 (5.5)).

And three limits say how much may go: the peer's window (flow control: its memory), the congestion
window (the path's room), the pace (the path's rate; what leaves in one burst arrives in a queue).
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from era1_raw_network.codec import END, FIN, HEADER
from era1_raw_network.congestion import RateModel
from era1_raw_network.rtt import Estimator

FIRST_REORDERING = 3  # packets overtaken before one is believed lost (RFC 5681's three duplicates)
MOST_REORDERING = 300
REMEMBERED_PACKETS = 1 << 14  # transmissions kept, to recognise one that was late and not lost
MAX_BACKOFF = 6  # 2^6 timeouts is the longest silence between two probes
LONGEST_SILENCE_S = 1.0  # but not longer than this: a wire that heals should be noticed
PROBES = 2  # packets per timeout: one alone may be lost as well
PACING_QUANTUM_S = 0.001  # timers are coarse: send what is due within this
UNPACED = 8  # so few packets in flight need no spacing
SAFE_PAYLOAD = 1200 - 20 - HEADER.size  # fits any path worth the name (RFC 8899: BASE_PLPMTU)
BLACK_HOLE_LOSSES = 6  # large packets lost in a row, and none arrived: the path takes smaller ones


class Piece:
    """One segment of the stream until it is acknowledged."""

    __slots__ = ("flags", "in_flight", "packet", "payload")

    def __init__(self, payload: bytes, flags: int) -> None:
        self.payload = payload
        self.flags = flags
        self.packet = -1  # its latest transmission
        self.in_flight = False  # sent, and neither acknowledged nor believed lost


class Transmission(NamedTuple):
    """What must be remembered of a packet to learn from its acknowledgement."""

    seq: int
    sent_at: float
    delivered: int  # segments known delivered when this left: the path's rate is counted from here
    delivered_at: float
    starved: bool  # nothing more was waiting: the rate shown is ours, not the path's


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
        self.queue: deque[tuple[bytes, int]] = deque()  # (payload, flags), never sent yet
        self.una = self.next = first_seq  # oldest unacknowledged, next to be sent
        self.packet = 1  # the next transmission's number; the echo 0 says that none has arrived
        self.in_flight = 0
        self.peer_window = UNPACED
        self.probe_at: float | None = None
        self.loss_at: float | None = None  # when a merely late packet becomes a lost one
        self.backoff = 0
        self.counts = dict.fromkeys(
            ("sent", "resent", "lost", "spurious", "timeouts", "silences", "black_holes"), 0
        )
        self._pieces: dict[int, Piece] = {}
        self._sacked = 0  # bitmap from una: what arrived beyond a gap
        self._undecided: deque[int] = deque()  # packets neither arrived nor believed lost, in order
        self._remembered: dict[int, Transmission] = {}
        self._believed_lost: set[int] = set()
        self._resend: deque[int] = deque()  # seqs
        self._highest_echo = 0
        self._window_packet = 0
        self._reordering = FIRST_REORDERING
        self._delivered = 0
        self._delivered_at = 0.0
        self._round_ends = 0
        self._pace_next = 0.0
        self.probes_due = 0
        self._last_sent = 0.0
        self._large_lost = 0  # since a large packet was last seen to arrive

    def __repr__(self) -> str:
        return (
            f"<Sender una={self.una} next={self.next} in_flight={self.in_flight} "
            f"queued={len(self.queue)} peer_window={self.peer_window} {self.congestion!r}>"
        )

    @property
    def idle(self) -> bool:
        """Everything handed over has been acknowledged."""
        return self.una == self.next and not self.queue

    @property
    def blocked(self) -> bool:
        """Something to send, nothing on its way, and no room at the peer: a zero window."""
        return self.una == self.next and bool(self.queue) and self.peer_window <= 0

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
        if ack + sacked.bit_length() > self.next or echo >= self.packet:
            return False
        if echo >= self._window_packet:  # an older acknowledgement may carry an older window
            self._window_packet = echo
            self.peer_window = window
        acked = self._mark_delivered(ack, sacked)
        if acked:
            self._delivered += acked
            self._delivered_at = now
        rate, rtt_s = self._learn_from(echo, now, acked, ack_delay_s)
        self._detect_losses(now)
        if acked or rtt_s:
            self._tell_congestion(now, acked, rate, rtt_s)
        self.arm(now)
        return True

    def _mark_delivered(self, ack: int, sacked: int) -> int:
        """Take the acknowledged pieces out; how many are new."""
        acked = 0
        pieces = self._pieces
        advance = ack - self.una
        if advance > 0:
            before = self._sacked
            for i in range(advance):
                piece = pieces.pop(self.una + i)
                if before >> i & 1:
                    continue
                acked += 1
                if len(piece.payload) > SAFE_PAYLOAD:
                    self._large_lost = 0
                if piece.in_flight:
                    self.in_flight -= 1
            self.una = ack
            self._sacked = before >> advance
        elif advance < 0:
            sacked >>= -advance
        new = sacked & ~self._sacked
        self._sacked |= new
        while new:
            lowest = new & -new
            new ^= lowest
            piece = pieces[self.una + lowest.bit_length() - 1]
            acked += 1
            if piece.in_flight:
                self.in_flight -= 1
                piece.in_flight = False
            if len(piece.payload) > SAFE_PAYLOAD:
                self._large_lost = 0
            piece.payload = b""  # it will never be sent again
        return acked

    def _learn_from(
        self, echo: int, now: float, acked: int, ack_delay_s: float
    ) -> tuple[float, float]:
        """The delivery rate (segments/s) and the round trip (s) this echo shows; 0 for none."""
        sent = self._remembered.get(echo)
        if sent is None:
            return 0.0, 0.0
        if echo in self._believed_lost:  # it was only late: be more patient from now on
            self._believed_lost.discard(echo)
            self.counts["spurious"] += 1
            self._reordering = min(MOST_REORDERING, self._reordering * 3 // 2 + 1)
        if echo <= self._highest_echo:
            return 0.0, 0.0
        self._highest_echo = echo
        rtt_s = max(now - sent.sent_at - ack_delay_s, 1e-6)
        self.rtt.sample(rtt_s)
        if not self.blocked:  # an answer without room is no progress (RFC 9293 section 3.8.6.1)
            self.backoff = 0
        elapsed = now - sent.delivered_at
        if not acked or elapsed <= 0:
            return 0.0, rtt_s
        rate = (self._delivered - sent.delivered) / elapsed
        if sent.starved and rate < self.congestion.rate:
            return 0.0, rtt_s
        return rate, rtt_s

    def _detect_losses(self, now: float) -> None:
        """Cases 1 of the docstring: overtaken by enough packets, or by any for long enough."""
        highest, pieces, undecided = self._highest_echo, self._pieces, self._undecided
        patience = 1.125 if self._reordering < 8 else 1.5  # RFC 9002 section 6.1.2: 9/8 of an RTT
        allowed_s = max(self.rtt.srtt_s, self.rtt.latest_s) * patience + 0.001
        lost = 0
        self.loss_at = None
        while undecided and undecided[0] <= highest:
            packet = undecided[0]
            sent = self._remembered.get(packet)
            piece = pieces.get(sent.seq) if sent else None
            if sent and piece and piece.packet == packet and piece.in_flight:
                if packet > highest - self._reordering and now < sent.sent_at + allowed_s:
                    self.loss_at = sent.sent_at + allowed_s
                    break
                self._believe_lost(packet, sent.seq, piece)
                lost += 1
            undecided.popleft()
        if lost:
            self.congestion.on_lost(lost)

    def _believe_lost(self, packet: int, seq: int, piece: Piece) -> None:
        piece.in_flight = False
        self.in_flight -= 1
        self._resend.append(seq)
        self._believed_lost.add(packet)
        self.counts["lost"] += 1
        if len(piece.payload) > SAFE_PAYLOAD:
            self._large_lost += 1

    def _tell_congestion(self, now: float, acked: int, rate: float, rtt_s: float) -> None:
        round_ended = self._highest_echo >= self._round_ends
        if round_ended:
            self._round_ends = self.packet
        self.congestion.on_ack(
            now, acked, rate, rtt_s, self.rtt.srtt_s, self.in_flight, round_ended
        )

    # --- time

    def arm(self, now: float) -> None:
        """Set the probe timer: from the last packet sent, twice as long after each silence."""
        if self.idle or not (self.in_flight or self._resend or self.blocked):
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
        due = self.probe_at
        if self.loss_at is not None and (due is None or self.loss_at < due):
            due = self.loss_at
        if self.may_send():
            send_at = self._pace_next if self.in_flight >= UNPACED else 0.0
            if due is None or send_at < due:
                due = send_at
        return due

    def wake(self, now: float) -> None:
        """Cases 2 and 3 of the docstring, if their time has come."""
        if self.loss_at is not None and now >= self.loss_at:
            self._detect_losses(now)
            self.arm(now)
        if self.probe_at is None or now < self.probe_at:
            return
        self.counts["timeouts"] += 1
        self.backoff += 1
        if self.backoff == 3 and self.in_flight > PROBES:  # not a lost tail: a path that went away
            self.counts["silences"] += 1
            self.congestion.on_silence()
        if self._large_lost >= BLACK_HOLE_LOSSES and self.mss > SAFE_PAYLOAD:
            self.counts["black_holes"] += 1
            self.mss = SAFE_PAYLOAD
        self.probes_due = PROBES
        self._last_sent = now
        self.probe_at = now + self._timeout_s()

    # --- what goes out

    def may_send(self) -> bool:
        """Is there a packet that all limits but the pace allow?"""
        if self.probes_due:
            return True
        if self.in_flight >= self.congestion.cwnd:
            return False
        return bool(self._resend) or (bool(self.queue) and self.next - self.una < self.peer_window)

    def probe(self) -> Iterator[tuple[int, Piece]]:
        """The oldest unacknowledged pieces, sent again because a timeout says so.

        With nothing outstanding (a zero window) nothing is given: the caller asks with a PING.
        """
        wanted, self.probes_due = self.probes_due, 0
        seq = self.una - 1
        while wanted and seq + 1 < self.next:
            seq += 1
            if self._sacked >> (seq - self.una) & 1:
                continue
            wanted -= 1
            piece = self._pieces[seq]
            if not piece.in_flight:
                piece.in_flight = True
                self.in_flight += 1
            self.counts["resent"] += 1
            yield seq, piece

    def due(self, now: float, most: int) -> Iterator[tuple[int, Piece]]:
        """Up to `most` pieces that may leave now: the lost ones first, then new ones."""
        congestion = self.congestion
        interval = 1 / congestion.pace if congestion.pace else 0.0
        if self._pace_next < now - 2 * PACING_QUANTUM_S:  # unused time may not be saved up
            self._pace_next = now - 2 * PACING_QUANTUM_S if self.in_flight else now
        horizon = now + PACING_QUANTUM_S
        for _ in range(most):
            if self.in_flight >= congestion.cwnd:
                return
            if interval and self.in_flight >= UNPACED and self._pace_next > horizon:
                return
            chosen = self._next_lost() or self._next_new()
            if chosen is None:
                return
            self._pace_next += interval
            yield chosen

    def _next_lost(self) -> tuple[int, Piece] | None:
        while self._resend:
            seq = self._resend.popleft()
            piece = self._pieces.get(seq)
            if piece is None or piece.in_flight or self._sacked >> (seq - self.una) & 1:
                continue  # it arrived after all, or a probe has sent it
            piece.in_flight = True
            self.in_flight += 1
            self.counts["resent"] += 1
            return seq, piece
        return None

    def _next_new(self) -> tuple[int, Piece] | None:
        if not self.queue or self.next - self.una >= self.peer_window:
            return None
        piece = Piece(*self.queue.popleft())
        piece.in_flight = True
        seq = self.next
        self._pieces[seq] = piece
        self.next = seq + 1
        self.in_flight += 1
        return seq, piece

    def number(self, now: float, seq: int, piece: Piece | None) -> int:
        """A number for the packet that carries `piece` (None: a PING); its departure is kept."""
        packet = self.packet
        self.packet = packet + 1
        if piece is not None:
            piece.packet = packet
            self._last_sent = now
        if self.in_flight == 1:  # the clock of delivery starts when the path was empty
            self._delivered_at = max(self._delivered_at, now - self.rtt.srtt_s)
        self._remembered[packet] = Transmission(
            seq, now, self._delivered, self._delivered_at or now, not self.queue
        )
        forgotten = packet - REMEMBERED_PACKETS
        self._remembered.pop(forgotten, None)
        self._believed_lost.discard(forgotten)
        self._undecided.append(packet)
        self.counts["sent"] += 1
        return packet
