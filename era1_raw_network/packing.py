"""From decisions to packets: the header's fields filled in from both halves and the acknowledger.

Every packet acknowledges, whatever else it carries: that costs two header fields, and spares most
packets that would do nothing else.
"""

from era1_raw_network.acknowledger import Acknowledger
from era1_raw_network.codec import ACK, DATA, MAX_WINDOW, PART, PING, encode
from era1_raw_network.flight import Piece
from era1_raw_network.receiver import PART_HEADER, Receiver
from era1_raw_network.sender import Sender


class Packer:
    """Writes the packets of the connection `identity`.

    window: what is offered before there is a receiver, that is, in the first packet.
    """

    def __init__(
        self, identity: int, sender: Sender, acknowledger: Acknowledger, window: int
    ) -> None:
        self.receiver: Receiver | None = None
        self.offered = window  # segments, as last told to the peer
        self._identity = identity
        self._sender = sender
        self._acknowledger = acknowledger

    def carry(self, now: float, seq: int, piece: Piece, out: list[bytes]) -> None:
        """Pack this piece of the stream; into several where the path takes only smaller packets."""
        mss, payload = self._sender.mss, piece.payload
        if len(payload) <= mss:
            out.append(self._data(now, DATA, seq, piece, payload))
            return
        room = mss - PART_HEADER.size
        for offset in range(0, len(payload), room):
            part = PART_HEADER.pack(offset, len(payload)) + payload[offset : offset + room]
            out.append(self._data(now, PART, seq, piece, part))

    def _data(self, now: float, kind: int, seq: int, piece: Piece, payload: bytes) -> bytes:
        receiver, acknowledger = self.receiver, self._acknowledger
        assert receiver is not None  # noqa: S101 (data flows only once both sides have numbers)
        self.offered = receiver.offer()
        acknowledger.left(now, says_all=not receiver.held)
        return encode(
            kind,
            piece.flags,
            min(self.offered, MAX_WINDOW),
            acknowledger.delay(now),
            self._identity,
            seq,
            self._sender.number(now, seq, piece),
            receiver.next,
            acknowledger.echo,
            payload,
        )

    def acknowledgement(self, now: float) -> bytes:
        """An ACK: everything before `ack`, and a bitmap of what arrived beyond."""
        receiver, acknowledger = self.receiver, self._acknowledger
        assert receiver is not None  # noqa: S101
        acknowledger.left(now, says_all=True)
        self.offered = receiver.offer()
        return encode(
            ACK,
            0,
            min(self.offered, MAX_WINDOW),
            acknowledger.delay(now),
            self._identity,
            self._sender.next,
            self._sender.packet,
            receiver.next,
            acknowledger.echo,
            receiver.sack(),
        )

    def ping(self, now: float) -> bytes:
        """A question: are you there, and have you room?"""
        return self.bare(PING, self._sender.next, self._sender.number(now, -1, None))

    def bare(self, kind: int, seq: int, packet: int = 0) -> bytes:
        """A packet without payload: SYN, SYNACK, PING or RST."""
        ack = 0
        if self.receiver is not None:
            ack = self.receiver.next
            self.offered = self.receiver.offer()
        window = min(self.offered, MAX_WINDOW)
        return encode(kind, 0, window, 0, self._identity, seq, packet, ack, self._acknowledger.echo)
