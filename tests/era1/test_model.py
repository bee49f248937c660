"""Hypothesis against a queue: an adversary decides the fate of each packet, the model is a FIFO.

Safety, at every step: what one side took is a beginning of what the other said, in order, once.
Liveness, at the end: from any reached state, on a wire that is clean from then on, everything
arrives, or an error says why not; and there is none if the adversary had less time than patience.
"""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from era1_raw_network.connection import Connection
from era1_raw_network.sender import SAFE_PAYLOAD
from era1_raw_network.states import State
from tests.era1.timeline import IDENTITY, Talker

SMALL_MTU = 152  # segments of 100 bytes
MOST_UNDER_WAY = 200
LONGEST = 50  # segments of a message
PATIENCE_S = 2.0  # less than this no connection gives up, whatever happens
sides = st.integers(0, 1)


class Adversary(RuleBasedStateMachine):
    """Two talkers; what is under way between them is in the adversary's hands."""

    @initialize(
        window=st.sampled_from([1, 2, 8, 64]),
        mtu_bytes=st.sampled_from([SMALL_MTU, 1500]),
        first_seqs=st.tuples(*2 * [st.sampled_from([0, 77, 2**31 - 3, 2**32 - 3, 2**32 - 1])]),
        both_call=st.booleans(),
    )
    def begin(self, window, mtu_bytes, first_seqs, both_call):
        self.now = 0.0
        self.swallows_large = False
        self.excused = False
        self.talkers = [
            Talker(Connection(IDENTITY, Random(1), mtu_bytes, window, first_seq=first))
            for first in first_seqs
        ]
        self.window = window
        self.said = [[], []]
        self.closed = [False, False]
        self.under_way = [[], []]
        self.talkers[0].connection.connect(0.0)
        if both_call:
            self.talkers[1].connection.connect(0.0)
        self.send_due()

    def send_due(self):
        for side in (0, 1):
            for frame in self.talkers[side].outgoing(self.now):
                if not (self.swallows_large and len(frame) > SAFE_PAYLOAD + 32):
                    self.under_way[side].append(frame)
            del self.under_way[side][MOST_UNDER_WAY:]  # a queue has an end

    def arrives(self, side, frame):
        self.talkers[1 - side].receive(frame, self.now)
        self.send_due()

    @rule(side=sides, length=st.integers(0, LONGEST * 100))
    def says(self, side, length):
        if not self.closed[side]:
            message = bytes([len(self.said[side]) % 256]) * length
            self.said[side].append(message)
            self.talkers[side].connection.send(message)
            self.send_due()

    @rule(side=sides, which=st.integers(0, 30), copy=st.booleans())
    def a_packet_arrives(self, side, which, copy):
        """Any of them: so they overtake each other. A copy may stay under way."""
        queue = self.under_way[side]
        if queue:
            at = which % len(queue)
            self.arrives(side, queue[at] if copy else queue.pop(at))

    @rule(side=sides, count=st.integers(1, 30))
    def packets_arrive_in_order(self, side, count):
        for _ in range(min(count, len(self.under_way[side]))):
            self.arrives(side, self.under_way[side].pop(0))

    @rule(side=sides, which=st.integers(0, 30))
    def a_packet_is_lost(self, side, which):
        queue = self.under_way[side]
        if queue:
            queue.pop(which % len(queue))

    @rule(side=sides)
    def everything_under_way_is_lost(self, side):
        self.under_way[side].clear()

    @rule(side=sides, which=st.integers(0, 30), place=st.integers(0, 10**6))
    def a_packet_is_damaged(self, side, which, place):
        queue = self.under_way[side]
        if queue:
            damaged = bytearray(queue.pop(which % len(queue)))
            damaged[place // 8 % len(damaged)] ^= 1 << place % 8
            self.arrives(side, bytes(damaged))

    @rule(seconds=st.sampled_from([0.0001, 0.003, 0.02, 0.3, 1.0]))
    def time_passes(self, seconds):
        self.now += seconds
        for talker in self.talkers:
            talker.wake(self.now)
        self.send_due()

    @rule(side=sides)
    def an_application_stops_or_starts_listening(self, side):
        talker = self.talkers[side]
        talker.listens = not talker.listens
        if talker.listens:
            talker.listen()
            self.send_due()

    @rule()
    def the_path_begins_to_swallow_large_packets(self):
        self.swallows_large = True

    @precondition(lambda self: self.now > 0.3)
    @rule(side=sides)
    def hangs_up(self, side):
        connection = self.talkers[side].connection
        self.excused |= connection.state in (State.SYN_SENT, State.CLOSED)
        self.closed[side] = True
        connection.close(self.now)
        self.send_due()

    @invariant()
    def what_was_taken_was_said_in_order_and_once(self):
        for side in (0, 1):
            heard = self.talkers[1 - side].heard
            assert heard == self.said[side][: len(heard)]

    @invariant()
    def the_books_are_in_order(self):
        for talker in self.talkers:
            sender, receiver = talker.connection.sender, talker.connection.receiver
            flight = sender.flight
            assert flight.una <= flight.next
            assert sender.in_flight == sum(p.in_flight for p in flight._pieces.values())
            if receiver is not None:
                assert receiver.held.bit_length() <= self.window
                assert receiver._waiting <= self.window + LONGEST  # a begun message may be ended
                assert 0 <= receiver.offer() <= self.window

    def teardown(self):
        """The wire is clean from here on (though it may still swallow large packets)."""
        excused = self.excused or self.now > PATIENCE_S
        for talker in self.talkers:
            talker.listens = True
            talker.listen()
        for _ in range(5000):
            if self.over():
                break
            self.carry_on()
        assert self.over(), f"no end in sight: {[t.connection for t in self.talkers]}"
        self.what_was_taken_was_said_in_order_and_once()
        for side in (0, 1):
            connection = self.talkers[side].connection
            assert excused or not connection.error
            if connection.receiver is not None and not connection.error:
                assert self.talkers[1 - side].heard == self.said[side]

    def hang_up_if_open(self, side):
        connection = self.talkers[side].connection
        if connection.state is not State.SYN_SENT and connection.receiver is not None:
            self.closed[side] = True
            connection.close(self.now)

    def over(self):
        return all(talker.connection.state is State.CLOSED for talker in self.talkers)

    def carry_on(self):
        for side in (0, 1):
            self.hang_up_if_open(side)
        self.send_due()
        if not any(self.under_way):
            due = [talker.next_wakeup() for talker in self.talkers]
            self.now = max(self.now, min((at for at in due if at is not None), default=self.now))
            for talker in self.talkers:
                talker.wake(self.now)
            return
        self.now += 0.001
        for side in (0, 1):
            frames, self.under_way[side] = self.under_way[side], []
            for frame in frames:
                self.arrives(side, frame)


class TestAdversary(Adversary.TestCase):
    """`unittest` runs it; the seed of the run decides what is tried."""

    settings = settings(max_examples=150, stateful_step_count=50)
