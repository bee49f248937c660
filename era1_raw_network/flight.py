"""What is under way: which piece left in which packet, and what acknowledgements make of it.

Pure. A piece of the stream keeps its number for ever; each packet that carries it has a number of
its own. So an acknowledgement says two things: which pieces are there (`mark_delivered`), and which
packet arrived last (`learn`), from which follow the round trip, the path's rate, and which packets
must be lost because later ones have overtaken them (`detect_losses`). The file is long because
both numberings must agree after each step.
"""

from collections import deque
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from era1_raw_network.codec import HEADER
from era1_raw_network.rtt import Estimator

FIRST_REORDERING = 3  # packets overtaken before one is believed lost (RFC 5681's three duplicates)
MOST_REORDERING = 300
REMEMBERED_PACKETS = 1 << 14  # at least, to recognise one that was late and not lost
SAFE_PAYLOAD = 1200 - 20 - HEADER.size  # fits any path worth the name (RFC 8899: BASE_PLPMTU)


class Piece:
    """One segment of the stream until it is acknowledged."""

    __slots__ = ("flags", "in_flight", "packet", "payload")

    def __init__(self, payload: bytes, flags: int) -> None:
        self.payload = payload
        self.flags = flags
        self.packet = -1  # its latest transmission
        self.in_flight = False  # sent, and neither acknowledged nor believed lost


# What must be remembered of a packet to learn from its acknowledgement: the piece it carried and
# when it left; how many pieces were known delivered then, and since when (the path's rate
# is counted from here); and whether nothing more was waiting (then that rate is ours, not the
# path's). A plain tuple: one is made for every packet.
Transmission = tuple[int, float, int, float, bool]


class Lesson(NamedTuple):
    """What one acknowledgement showed: round trip (s) and delivery rate (pieces/s), 0 for none."""

    rtt_s: float
    rate: float
    starved: bool


NOTHING = Lesson(0.0, 0.0, False)


class Flight:
    """Pieces numbered from `first_seq` on, from their first departure to their acknowledgement."""

    def __init__(self, first_seq: int) -> None:
        self.una = self.next = first_seq  # oldest unacknowledged, next to leave for the first time
        self.packet = 1  # the next transmission's number; the echo 0 says that none has arrived
        self.in_flight = 0
        self.highest_echo = 0
        self.loss_at: float | None = None  # when a merely late packet becomes a lost one
        self.large_lost = 0  # since a large packet was last seen to arrive
        self.lost = self.spurious = 0
        self.resend: deque[int] = deque()  # pieces believed lost
        self._pieces: dict[int, Piece] = {}
        self._sacked = 0  # bitmap from una: what arrived beyond a gap
        self._undecided: deque[int] = deque()  # packets neither arrived nor believed lost, in order
        self._remembered: dict[int, Transmission] = {}
        self._believed_lost: set[int] = set()
        self._reordering = FIRST_REORDERING
        self._delivered = 0
        self._delivered_at = 0.0
        self._least_rtt_s = inf  # measured, nothing subtracted

    def __repr__(self) -> str:
        return f"<Flight una={self.una} next={self.next} in_flight={self.in_flight}>"

    # --- departures

    def add(self, payload: bytes, flags: int) -> tuple[int, Piece]:
        """A new piece at the stream's end, and its number."""
        seq = self.next
        piece = self._pieces[seq] = Piece(payload, flags)
        piece.in_flight = True
        self.next = seq + 1
        self.in_flight += 1
        return seq, piece

    def next_lost(self) -> tuple[int, Piece] | None:
        """The first piece that is believed lost, now under way again; None if there is none."""
        while self.resend:
            seq = self.resend.popleft()
            piece = self._pieces.get(seq)
            if piece is None or piece.in_flight or self._sacked >> (seq - self.una) & 1:
                continue  # it arrived after all, or a probe has sent it
            piece.in_flight = True
            self.in_flight += 1
            return seq, piece
        return None

    def oldest(self, wanted: int) -> Iterator[tuple[int, Piece]]:
        """The first `wanted` pieces that are not acknowledged, whatever is believed of them."""
        seq = self.una
        while wanted and seq < self.next:
            if not self._sacked >> (seq - self.una) & 1:
                wanted -= 1
                piece = self._pieces[seq]
                if not piece.in_flight:
                    piece.in_flight = True
                    self.in_flight += 1
                yield seq, piece
            seq += 1

    def number(
        self, now: float, seq: int, piece: Piece | None, srtt_s: float, starved: bool
    ) -> int:
        """A number for the packet that carries `piece` (None: a PING); its departure is kept."""
        packet = self.packet
        self.packet = packet + 1
        if piece is not None:
            piece.packet = packet
        if self.in_flight == 1:  # the clock of delivery starts when the path was empty
            self._delivered_at = max(self._delivered_at, now - srtt_s)
        delivered_at = self._delivered_at or now
        self._remembered[packet] = (seq, now, self._delivered, delivered_at, starved)
        if packet % REMEMBERED_PACKETS == 0:
            self._forget(packet - REMEMBERED_PACKETS)
        self._undecided.append(packet)
        return packet

    def _forget(self, before: int) -> None:
        """Let go of packets so old that nobody will hear of them again."""
        kept = min(before, self._undecided[0] if self._undecided else before)
        self._remembered = {n: sent for n, sent in self._remembered.items() if n >= kept}
        self._believed_lost = {n for n in self._believed_lost if n >= kept}

    # --- acknowledgements

    def mark_delivered(self, now: float, ack: int, sacked: int) -> int:
        """Take out what arrived: all before `ack`, and of those after it the bits of `sacked`.
        Returns how many pieces that is news of."""
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
                    self.large_lost = 0
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
                self.large_lost = 0
            piece.payload = b""  # it will never be sent again
        if acked:
            self._delivered += acked
            self._delivered_at = now
        return acked

    def learn(self, now: float, echo: int, acked: int, ack_delay_s: float) -> Lesson:
        """What packet `echo` shows by having arrived, `acked` being news at the same time."""
        sent = self._remembered.get(echo)
        if sent is None:
            return NOTHING
        _, sent_at, delivered, delivered_at, starved = sent
        if echo in self._believed_lost:  # it was only late: be more patient from now on
            self._believed_lost.discard(echo)
            self.spurious += 1
            self._reordering = min(MOST_REORDERING, self._reordering * 3 // 2 + 1)
        if echo <= self.highest_echo:
            return NOTHING
        self.highest_echo = echo
        rtt_s = max(now - sent_at, 1e-6)
        self._least_rtt_s = min(self._least_rtt_s, rtt_s)
        if rtt_s - ack_delay_s >= self._least_rtt_s:  # RFC 9002 section 5.3: what a peer says of
            rtt_s -= ack_delay_s  # its delay must not make the path shorter than it ever was
        elapsed = now - delivered_at
        if not acked or elapsed <= 0:
            return Lesson(rtt_s, 0.0, starved)
        return Lesson(rtt_s, (self._delivered - delivered) / elapsed, starved)

    def detect_losses(self, now: float, rtt: Estimator) -> int:
        """Believe lost what was overtaken by enough packets, or by any and for long enough.
        Returns how many; `loss_at` says when to look again."""
        highest, pieces, undecided = self.highest_echo, self._pieces, self._undecided
        patience = 1.125 if self._reordering < 8 else 1.5  # RFC 9002 section 6.1.2: 9/8 of an RTT
        allowed_s = max(rtt.srtt_s, rtt.latest_s) * patience + 0.001
        lost = 0
        self.loss_at = None
        while undecided and undecided[0] <= highest:
            packet = undecided[0]
            seq, sent_at = self._remembered[packet][:2]
            piece = pieces.get(seq)
            if piece and piece.packet == packet and piece.in_flight:
                if packet > highest - self._reordering and now < sent_at + allowed_s:
                    self.loss_at = sent_at + allowed_s
                    break
                self._believe_lost(packet, seq, piece)
                lost += 1
            undecided.popleft()
        return lost

    def _believe_lost(self, packet: int, seq: int, piece: Piece) -> None:
        piece.in_flight = False
        self.in_flight -= 1
        self.resend.append(seq)
        self._believed_lost.add(packet)
        self.lost += 1
        if len(piece.payload) > SAFE_PAYLOAD:
            self.large_lost += 1
