"""One conversation: it opens, both halves run, each side ends its own half, nobody is left waiting.

`states.py` has its life as a table; the two halves are `sender.py` and `receiver.py`.

Who may end it: a RST is believed only if it names exactly the segment we expect next. One that lies
elsewhere in the window, a SYN in mid-conversation, an acknowledgement of what was never sent, all
get a challenge: an ordinary ACK, which a true peer that has lost its memory answers with an exact
RST (RFC 5961). `challenges.py` counts them, `opening.py` knows when to greet again.

The file is long because it is the one place where a packet, a moment and a wish of the application
meet the state; what can be decided without the state is elsewhere.
"""

from collections import deque
from random import Random

from era1_raw_network.acknowledger import Acknowledger
from era1_raw_network.challenges import Challenges
from era1_raw_network.codec import (
    ACK,
    ACK_DELAY_UNIT_S,
    DATA,
    HEADER,
    MAX_WINDOW,
    PART,
    PING,
    RST,
    SYN,
    SYNACK,
    Segment,
    decode,
    nearest,
)
from era1_raw_network.congestion import RateModel
from era1_raw_network.opening import CONNECT_S, Opening
from era1_raw_network.packing import Packer
from era1_raw_network.receiver import Fate, Receiver
from era1_raw_network.rtt import Estimator
from era1_raw_network.sender import Sender
from era1_raw_network.states import OPEN, TRANSITIONS, Event, State

IP_HEADER_BYTES = 20
WINDOW = 8192  # segments the receiver has room for: at 100 ms enough for a gigabit
BURST = 128  # packets given out at once
GIVE_UP_S = 6.0  # nothing heard for so long while something is awaited: the peer is dead (R2)
KEEPALIVE_S = 2.0  # silence after which we ask, so that a dead peer is noticed without traffic
TIME_WAIT_S = 2.0  # copies of our last packets may be under way so long on the wires of this lab


class Connection:
    """A two-way stream of messages, in order, each once, over packets that promise nothing.

    Pure: `receive` takes a packet, `outgoing` gives those that may leave, `next_wakeup` says when
    to call `wake`. Times are seconds of any monotonic clock. `error` says why it ended, if it did
    not end in order. identity: the number that marks its packets; random: for sequence numbers
    that a stranger cannot guess (RFC 6528), so a cryptographic source in earnest; mtu_bytes: the
    largest IP packet of the interface.
    """

    def __init__(
        self,
        identity: int,
        random: Random,
        mtu_bytes: int = 1500,
        window: int = WINDOW,
        first_seq: int | None = None,
        congestion: RateModel | None = None,
    ) -> None:
        self.identity = identity
        self.state = State.CLOSED
        self.error = ""
        first = random.getrandbits(32) if first_seq is None else first_seq
        mss = mtu_bytes - IP_HEADER_BYTES - HEADER.size
        self.rtt = Estimator()
        self.sender = Sender(first + 1, mss, self.rtt, congestion)
        self.receiver: Receiver | None = None  # until the peer's first number is known
        self.counts = dict.fromkeys(
            ("received", "malformed", "duplicates", "ignored", "challenges", "acks"), 0
        )
        self._opening = Opening(first)
        self._window = min(window, MAX_WINDOW)
        self._acknowledger = Acknowledger()
        self._packer = Packer(identity, self.sender, self._acknowledger, self._window)
        self._heard_at = 0.0
        self._control: deque[bytes] = deque()
        self._pings = 0
        self._expires_at: float | None = None
        self._challenges = Challenges()
        self._finished = False

    def __repr__(self) -> str:
        reason = f" because {self.error}" if self.error else ""
        return f"<Connection {self.identity:08x} {self.state.name}{reason} {self.sender!r}>"

    # --- the application's side

    def connect(self, now: float) -> None:
        """Begin to open; the SYN is in the next `outgoing`."""
        self._on(Event.CONNECT, now)

    def accept(self, now: float, peer_first: int) -> None:
        """Begin to open because the peer's SYN arrived with this first number."""
        self._listen(peer_first)
        self._on(Event.SYN, now)

    def _listen(self, peer_first: int) -> None:
        self.receiver = self._packer.receiver = Receiver(peer_first + 1, self._window)

    def send(self, message: bytes) -> None:
        """Queue one message for the peer; it arrives whole, once, after those sent before it.

        Raises ValueError after `close`: what follows the end of the stream would never arrive.
        """
        if self._finished:
            raise ValueError("send after close")
        self.sender.push(message)

    def take(self) -> list[bytes]:
        """The messages that have arrived since the last call."""
        if self.receiver is None:
            return []
        messages = self.receiver.take()
        if messages and self._packer.offered * 2 < self._window:
            self._acknowledger.at_once()  # room again: in one large step (RFC 1122 4.2.3.3)
        return messages

    def close(self, now: float) -> None:
        """End our half when all that was sent has arrived; the peer may still send."""
        if self._finished or self.state is State.CLOSED:
            return
        self._finished = True
        if self.state is State.SYN_SENT:
            self._end(Event.CLOSE, "closed before it was open", now)
        elif self.state in OPEN:
            self._finish(now)  # else as soon as both sides agree (RFC 9293 section 3.10.4)

    def _finish(self, now: float) -> None:
        self._on(Event.CLOSE, now)
        self.sender.finish()

    def abort(self, now: float) -> None:
        """End at once and tell the peer, with a RST."""
        if self.state in OPEN:
            self._control.append(self._packer.bare(RST, self.sender.next))
        self._end(Event.RESET, "aborted here", now)

    @property
    def ended(self) -> bool:
        """The peer has ended its half and everything before that has arrived."""
        return self.receiver is not None and self.receiver.ended

    # --- the network's side: in

    def receive(self, frame: bytes, now: float) -> None:
        """Take one packet as it came off the wire."""
        segment = decode(frame)
        if segment is None:
            self.counts["malformed"] += 1
            return
        self.on_segment(segment, now)

    def on_segment(self, segment: Segment, now: float) -> None:
        """Take one sound packet. Whatever it claims, this never raises."""
        if segment.connection != self.identity or self.state is State.CLOSED:
            self.counts["ignored"] += 1
            return
        self.counts["received"] += 1
        kind = segment.kind
        receiver = self.receiver
        if kind == SYN:
            self._on_syn(segment, now)
        elif kind == SYNACK:
            self._on_synack(segment, now)
        elif kind == RST:
            self._on_reset(segment, now)
        elif receiver is None or not self._on_ack(segment, now):
            self.counts["ignored"] += 1
        elif kind in (DATA, PART):
            self._on_data(receiver, segment, now)
        elif kind == PING:
            self._acknowledger.asked(now, segment.packet)

    def _on_syn(self, segment: Segment, now: float) -> None:
        if self.state is State.SYN_SENT:  # simultaneous open (RFC 9293 section 3.5)
            self.accept(now, segment.seq)
        elif self.state is State.SYN_RECEIVED:
            self._opening.due_at = now  # our SYNACK was lost
        else:
            self._challenge(now)

    def _on_synack(self, segment: Segment, now: float) -> None:
        if self.state in OPEN or self.state is State.TIME_WAIT:
            self._acknowledger.at_once()  # our ACK of it was lost
            return
        if not self._opening.is_named_by(segment.ack):
            self.counts["ignored"] += 1
            return
        if self.receiver is None:
            self._listen(segment.seq)
        self._established(segment, now, Event.SYNACK)
        self._acknowledger.at_once()

    def _established(self, segment: Segment, now: float, event: Event) -> None:
        round_trip_s = self._opening.round_trip_s(now)
        if round_trip_s is not None:
            self.rtt.sample(round_trip_s)
        self.sender.peer_window = segment.window
        self._heard_at = now
        self._opening.due_at = None
        self._on(event, now)
        if self._finished:
            self._finish(now)

    def _on_reset(self, segment: Segment, now: float) -> None:
        if self.state is State.SYN_SENT:
            if self._opening.is_named_by(segment.ack):
                self._end(Event.RESET, "refused by the peer", now)
            return
        if self.state is State.TIME_WAIT:  # all is said; the peer only forgot us sooner (RFC 1337)
            self.counts["ignored"] += 1
            return
        assert self.receiver is not None  # noqa: S101 (every other state has one)
        ahead = nearest(segment.seq, self.receiver.next) - self.receiver.next
        if ahead == 0:
            self._end(Event.RESET, "reset by the peer", now)
        elif 0 < ahead < self._window:
            self._challenge(now)
        else:
            self.counts["ignored"] += 1

    def _on_ack(self, segment: Segment, now: float) -> bool:
        """Use the acknowledgement that every packet carries; False: do not use the packet."""
        sender, flight = self.sender, self.sender.flight
        if segment.kind != ACK and self._says_nothing_new(segment):
            self._heard_at = now
            self._pings = 0
            sender.peer_window = segment.window
            return True
        ack = nearest(segment.ack, flight.una)
        if self.state is State.SYN_RECEIVED:
            if ack <= self._opening.first or ack > flight.next:
                return False  # not an answer to our numbers: an old packet, or a stranger's
            self._established(segment, now, Event.ACKED)
        if ack > flight.next or ack < flight.una - MAX_WINDOW:  # RFC 5961 section 5
            self._challenge(now)
            return False
        self._heard_at = now
        self._pings = 0
        sacked = int.from_bytes(segment.payload, "little") if segment.kind == ACK else 0
        if not sender.on_ack(
            now,
            ack,
            sacked,
            nearest(segment.echo, flight.packet) if segment.echo else 0,
            segment.ack_delay * ACK_DELAY_UNIT_S,
            segment.window,
        ):
            self._challenge(now)
            return False
        if self._finished and sender.idle:
            self._on(Event.FIN_ACKED, now)
        return True

    def _says_nothing_new(self, segment: Segment) -> bool:
        """Is nothing of ours under way, as while the peer alone speaks?"""
        flight = self.sender.flight
        if flight.in_flight or self.state is State.SYN_RECEIVED:
            return False
        return segment.ack == flight.una & 0xFFFFFFFF

    def _on_data(self, receiver: Receiver, segment: Segment, now: float) -> None:
        seq = nearest(segment.seq, receiver.next)
        if segment.kind == DATA:
            fate = receiver.accept(seq, segment.flags, segment.payload)
        else:
            fate = receiver.accept_part(seq, segment.flags, segment.payload)
        if fate is Fate.MESSAGE_TOO_LONG:
            self.abort(now)
            self.error = "the peer sent a message that is too long"
            return
        if fate is Fate.DUPLICATE:
            self.counts["duplicates"] += 1
        disturbed = fate is not Fate.IN_ORDER or segment.flags != 0
        self._acknowledger.arrived(now, segment.packet, urgent=disturbed)
        if receiver.ended:
            self._on(Event.FIN, now)

    def _challenge(self, now: float) -> None:
        if self._challenges.try_send(now):
            self.counts["challenges"] += 1
            self._acknowledger.at_once()

    # --- time

    def next_wakeup(self) -> float | None:
        """The moment at which `wake` and `outgoing` must be called if nothing arrives."""
        if self._control:
            return 0.0  # at once: any moment that has passed
        hello_at = self._opening.due_at
        times = [hello_at, self._acknowledger.due_at, self._expires_at]
        if hello_at is not None:
            times.append(self._opening.ends_at)
        if self.state in OPEN:
            times += [self.sender.next_wakeup(), self._heard_at + KEEPALIVE_S * (self._pings + 1)]
        return min((time for time in times if time is not None), default=None)

    def wake(self, now: float) -> None:
        """Let timers that are due take effect."""
        if self._expires_at is not None and now >= self._expires_at:
            self._on(Event.EXPIRED, now)
        if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
            if now >= self._opening.ends_at:
                self._end(Event.GIVE_UP, f"no answer within {CONNECT_S:g} s", now)
            return
        if self.state not in OPEN:
            return
        self.sender.wake(now)
        # the same sums as in next_wakeup: a difference may round to just below, and never be due
        if now >= self._heard_at + GIVE_UP_S:
            self._end(Event.GIVE_UP, f"the peer was silent for {GIVE_UP_S:g} s", now)
        elif now >= self._heard_at + KEEPALIVE_S * (self._pings + 1):
            self._pings += 1
            self._control.append(self._packer.ping(now))

    def _on(self, event: Event, now: float) -> None:
        """The only place where the state changes."""
        state = TRANSITIONS.get((self.state, event))
        if state is None or state is self.state:
            return
        self.state = state
        if state in (State.SYN_SENT, State.SYN_RECEIVED):
            self._opening.begin(now)
            self._heard_at = now
        elif state is State.TIME_WAIT:
            self._expires_at = now + TIME_WAIT_S
        elif state is State.CLOSED:
            self._opening.due_at = self._acknowledger.due_at = self._expires_at = None

    def _end(self, event: Event, reason: str, now: float) -> None:
        self.error = self.error or reason
        self._on(event, now)

    # --- the network's side: out

    def outgoing(self, now: float) -> list[bytes]:
        """The packets that may leave now, in order."""
        out = list(self._control)
        self._control.clear()
        hello_at = self._opening.due_at
        if hello_at is not None and now >= hello_at:
            out.append(self._hello(now))
        if self.state in OPEN:
            self._send_pieces(now, out)
        due_at = self._acknowledger.due_at
        if due_at is not None and now >= due_at:
            self.counts["acks"] += 1
            out.append(self._packer.acknowledgement(now))
        return out

    def _hello(self, now: float) -> bytes:
        kind = SYN if self.state is State.SYN_SENT else SYNACK
        self._opening.said(now, self.rtt.rto_s)
        return self._packer.bare(kind, self._opening.first)

    def _send_pieces(self, now: float, out: list[bytes]) -> None:
        sender, carry = self.sender, self._packer.carry
        before = len(out)
        if sender.probes_due:
            for seq, piece in sender.probe():
                carry(now, seq, piece, out)
            if sender.backoff > 1 or len(out) == before:  # small: it may pass where large do not
                out.append(self._packer.ping(now))
        if sender.may_send():
            for seq, piece in sender.due(now, BURST):
                carry(now, seq, piece, out)
        if len(out) > before or sender.blocked:
            sender.arm(now)
