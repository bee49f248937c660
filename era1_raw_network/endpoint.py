"""One address, many conversations: which packet belongs to whom, and who may become somebody.

A connection is known by its peer's address and the number the peer chose for it. A SYN makes a
half-open one, of which there may be few: whoever only says hello must not fill our memory. When
all places are taken, the SYNACK's own number is a cookie, a keyed hash of what the SYN said, and
nothing is remembered; a peer that can repeat it back was really there (Bernstein 1996; RFC 4987
section 3.6).

A packet that belongs to nobody is answered with a RST that fits what it acknowledged, so that a
peer left over from before our restart learns at once that we have forgotten it (half-open, RFC 9293
section 3.5.1).
"""

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2b
from random import Random

from era1_raw_network.codec import ACK, DATA, MAX_WINDOW, RST, SYN, SYNACK, Segment, encode
from era1_raw_network.connection import WINDOW, Connection
from era1_raw_network.states import State

BACKLOG = 128  # half-open connections
MOST_CONNECTIONS = 1024  # bounds memory: a further peer is not answered until one has ended
COOKIE_LIFE_S = 4.0  # a cookie is good in the span that made it and the one after
REMEMBERED = 4096  # ended connections, so that a recorded opening cannot be played to us again
MOST_REPLIES = 256  # stateless answers waiting to leave

Peer = tuple[str, int]  # as the socket names it; raw IP has no ports and says 0
Key = tuple[Peer, int]


class Endpoint:
    """All connections of one socket, called or calling. Pure, like they are.

    random: source of our numbers and of the cookies' key; accepts: may strangers call?
    mtu_bytes, window: passed on to each `Connection`.
    """

    def __init__(
        self, random: Random, accepts: bool, mtu_bytes: int = 1500, window: int = WINDOW
    ) -> None:
        self.connections: dict[Key, Connection] = {}
        self.counts = dict.fromkeys(("accepted", "cookies", "resets", "ignored", "malformed"), 0)
        self._random = random
        self._accepts = accepts
        self._secret = random.getrandbits(128).to_bytes(16, "big")
        self._mtu_bytes = mtu_bytes
        self._window = window
        self._half_open: OrderedDict[Key, None] = OrderedDict()
        self._ended: OrderedDict[Key, None] = OrderedDict()
        self._replies: list[tuple[Peer, bytes]] = []
        self._cookies_until = 0.0

    def __repr__(self) -> str:
        return f"<Endpoint {len(self.connections)} connections {self.counts}>"

    def connect(self, peer: Peer, now: float) -> Connection:
        """Call `peer`: a connection that begins to open."""
        connection = Connection(
            self._random.getrandbits(32), self._random, self._mtu_bytes, self._window
        )
        connection.connect(now)
        self.connections[peer, connection.identity] = connection
        return connection

    def on_segment(self, peer: Peer, segment: Segment, now: float) -> Connection | None:
        """Give one sound packet to whom it concerns; the connection it belongs to, if any."""
        key = (peer, segment.connection)
        connection = self.connections.get(key)
        if connection is None:
            connection = self._stranger(key, segment, now)
        if connection is None:
            return None
        was = connection.state
        connection.on_segment(segment, now)
        if was is State.SYN_RECEIVED and connection.state is not was:
            self._half_open.pop(key, None)
        return connection

    def _stranger(self, key: Key, segment: Segment, now: float) -> Connection | None:
        if segment.kind == SYN:
            return self._on_syn(key, segment, now)
        if segment.kind in (ACK, DATA) and self._cookie_returned(key, segment, now):
            return self._admit(key, segment.seq - 1, segment.ack - 1, now)
        # On raw IP every process of a host hears every packet: who only calls does not judge those
        # of others. And in a flood a RST could hit a guest whose first packet is late.
        if segment.kind == RST or not self._accepts or now < self._cookies_until:
            self.counts["ignored"] += 1
            return None
        self._reply(key, RST, segment.ack, segment.seq)
        self.counts["resets"] += 1
        return None

    def _on_syn(self, key: Key, segment: Segment, now: float) -> Connection | None:
        if not self._accepts or self._full:
            self.counts["ignored"] += 1
            return None
        if len(self._half_open) < BACKLOG:
            self._half_open[key] = None
            return self._admit(key, segment.seq, self._random.getrandbits(32), now)
        self.counts["cookies"] += 1
        self._cookies_until = now + 2 * COOKIE_LIFE_S
        self._reply(key, SYNACK, self._cookie(key, segment.seq, now), segment.seq + 1)
        return None

    @property
    def _full(self) -> bool:
        return len(self.connections) - len(self._half_open) >= MOST_CONNECTIONS

    def _admit(self, key: Key, peer_first: int, first: int, now: float) -> Connection:
        connection = Connection(
            key[1], self._random, self._mtu_bytes, self._window, first_seq=first % 2**32
        )
        connection.accept(now, peer_first % 2**32)
        self.connections[key] = connection
        self.counts["accepted"] += 1
        return connection

    def _cookie(self, key: Key, peer_first: int, at: float) -> int:
        said = repr((key, peer_first % 2**32, int(at // COOKIE_LIFE_S))).encode()
        return int.from_bytes(blake2b(said, key=self._secret, digest_size=4).digest(), "big")

    def _cookie_returned(self, key: Key, segment: Segment, now: float) -> bool:
        if now >= self._cookies_until or key in self._ended or self._full:
            return False
        claimed = (segment.ack - 1) % 2**32
        spans = (now, now - COOKIE_LIFE_S)
        return any(self._cookie(key, segment.seq - 1, at) == claimed for at in spans)

    def _reply(self, key: Key, kind: int, seq: int, ack: int) -> None:
        if len(self._replies) < MOST_REPLIES:
            window = min(self._window, MAX_WINDOW)
            self._replies.append((key[0], encode(kind, 0, window, 0, key[1], seq, 0, ack, 0)))

    def outgoing(self, now: float) -> Iterator[tuple[Peer, bytes]]:
        """The packets that may leave now, and to whom; ended connections are let go."""
        replies, self._replies = self._replies, []
        yield from replies
        for key, connection in list(self.connections.items()):
            for packet in connection.outgoing(now):
                yield key[0], packet
            if connection.state is State.CLOSED:
                self._forget(key)

    def _forget(self, key: Key) -> None:
        del self.connections[key]
        self._half_open.pop(key, None)
        self._ended[key] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def next_wakeup(self) -> float | None:
        """The moment at which `wake` must be called if nothing arrives."""
        times = [connection.next_wakeup() for connection in self.connections.values()]
        return min((time for time in times if time is not None), default=None)

    def wake(self, now: float) -> None:
        """Let the connections' timers take effect."""
        for connection in self.connections.values():
            connection.wake(now)
