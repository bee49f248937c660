"""Timelines, in the manner of packetdrill: what a connection hears and says, and when.

`Scripted` puts one connection under the test's hand: the test is the wire and the peer. `pair`
joins two by a wire on virtual time. Neither ever sleeps.
"""

from random import Random

from era1_raw_network import codec
from era1_raw_network.codec import ACK, DATA, END, FIN, PING, RST, SYN, SYNACK, decode, encode
from era1_raw_network.connection import Connection
from era1_raw_network.states import State
from lab.wire import Knobs
from lab.wire.virtual import Virtual

OURS, THEIRS = 1000, 5000  # the first numbers of both streams, so data begins at 1001 and 5001
IDENTITY = 7
NAMES = {
    SYN: "SYN",
    SYNACK: "SYNACK",
    DATA: "DATA",
    ACK: "ACK",
    PING: "PING",
    RST: "RST",
    7: "PART",
}


def words(frame):
    """A packet in words: `DATA 1001 ack 5001 END`."""
    segment = decode(frame)
    flags = " END" * (segment.flags & END) + " FIN" * bool(segment.flags & FIN)
    return f"{NAMES[segment.kind]} {segment.seq} ack {segment.ack}{flags}"


class Scripted:
    """A connection whose peer is the test. Its packets come back in words, from `says`."""

    def __init__(self, window=8192, mtu_bytes=156, first_seq=OURS):  # 156: segments of 100 bytes
        self.connection = Connection(IDENTITY, Random(1), mtu_bytes, window, first_seq=first_seq)
        self.packets_of_peer = 0
        self.frames = []  # what it said last
        self.now = 0.0

    def connecting(self, now=0.0):
        self.connection.connect(now)
        return self

    def called(self, now=0.0):
        """It has heard a SYN and answered it."""
        self.connection.accept(now, THEIRS)
        self.says(now)
        return self

    def established(self, now=0.0, window=8192):
        """Opened by the peer, at `now`, in no time; nothing is left to be said."""
        self.called(now)
        self.hears(now, ACK, 5001, 1001, window=window)
        assert self.connection.state is State.ESTABLISHED
        self.says(now)
        return self

    def hears(self, now, kind, seq, ack, payload=b"", flags=0, window=8192, echo=None, packet=None):
        """A packet of the peer's arrives; by default it echoes the packet sent last."""
        self.now = now
        self.packets_of_peer += kind in (DATA, PING)
        echo = self.connection.sender.packet - 1 if echo is None else echo
        packet = self.packets_of_peer if packet is None else packet
        self.connection.receive(
            encode(kind, flags, window, 0, IDENTITY, seq, packet, ack, echo, payload), now
        )
        return self

    def says(self, now):
        """What it sends at `now`, timers included."""
        self.now = now
        self.connection.wake(now)
        self.frames = self.connection.outgoing(now)
        return [words(frame) for frame in self.frames]

    def says_until(self, end):
        """What it sends if it hears nothing: [(time, packet in words)]."""
        said = []
        while (due := self.connection.next_wakeup()) is not None and due <= end:
            due = max(due, self.now)
            said += [(round(due, 6), packet) for packet in self.says(due)]
        return said

    @property
    def state(self):
        return self.connection.state

    @property
    def error(self):
        return self.connection.error


class Talker:
    """One end of the wire: a connection, and an application that listens or does not."""

    def __init__(self, connection, listens=True):
        self.connection = connection
        self.listens = listens
        self.heard = []
        self.frames = 0  # sent

    def receive(self, frame, now):
        segment = decode(frame)
        called = segment and segment.kind == SYN and self.connection.receiver is None
        if called and self.connection.state is State.CLOSED:
            self.connection.accept(now, segment.seq)
            return
        self.connection.receive(frame, now)
        if self.listens:
            self.listen()

    def listen(self):
        self.heard += self.connection.take()

    def outgoing(self, now):
        frames = self.connection.outgoing(now)
        self.frames += len(frames)
        return frames

    def next_wakeup(self):
        return self.connection.next_wakeup()

    def wake(self, now):
        self.connection.wake(now)


def pair(knobs=None, back=None, seed=7, window=8192, mtu_bytes=1500, first_seqs=(None, None)):
    """Two connections on a wire; the first has called. Returns (virtual, caller, called)."""
    random = Random(seed)
    caller, called = (
        Talker(Connection(IDENTITY, random, mtu_bytes, window, first_seq=first))
        for first in first_seqs
    )
    virtual = Virtual(seed, knobs or Knobs(), caller, called, back=back)
    caller.connection.connect(0.0)
    return virtual, caller, called


def frame_mtu(packet_bytes):
    """The wire's MTU for bare packets, where one says an IP packet's."""
    return packet_bytes - 20


HEADER_BYTES = codec.HEADER.size
