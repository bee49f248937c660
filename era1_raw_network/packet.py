"""The packet of era 1, defined once, as a scapy layer: dissector, trace line, second opinion.

It rides directly on IP, as protocol 253: the number that RFC 3692 sets aside for experiments. An
EtherType of our own (say 0x88B5) would show the bare frame, but it needs Ethernet, and so ARP and a
switch, none of which has anything to say about reliability; IP gives an address and no promise,
which is the situation era 1 is about. Where raw sockets are not allowed the same bytes travel as
the payload of a UDP datagram.
"""

from typing import Any, ClassVar
from zlib import crc32

from scapy.fields import (
    BitEnumField,
    BitField,
    FlagsField,
    IntField,
    ShortField,
    XIntField,
)
from scapy.layers.inet import IP
from scapy.packet import Packet, bind_layers

from era1_raw_network import codec

PROTOCOL = 253
KINDS = {
    codec.SYN: "SYN",
    codec.SYNACK: "SYNACK",
    codec.DATA: "DATA",
    codec.ACK: "ACK",
    codec.PING: "PING",
    codec.RST: "RST",
    codec.PART: "PART",
}
FLAGS = ["END", "FIN"]


class Segment(Packet):
    """Header and payload; `length` and `checksum` are filled in when left None."""

    name = "era1"
    fields_desc: ClassVar[list[Any]] = [
        BitField("version", codec.VERSION, 4),
        BitEnumField("kind", codec.DATA, 4, KINDS),
        FlagsField("flags", 0, 8, FLAGS),
        ShortField("window", 0),
        ShortField("ack_delay", 0),
        ShortField("length", None),
        IntField("connection", 0),
        IntField("seq", 0),
        IntField("packet", 0),
        IntField("ack", 0),
        IntField("echo", 0),
        XIntField("checksum", None),
    ]

    def post_build(self, header: bytes, payload: bytes) -> bytes:
        """Fill in the length, then the CRC-32 over all that stands before it and the payload."""
        if self.length is None:
            header = header[:6] + len(payload).to_bytes(2, "big") + header[8:]
        if self.checksum is None:
            value = crc32(payload, crc32(header[:-4]))
            header = header[:-4] + value.to_bytes(4, "big")
        return header + payload

    def answers(self, other: Packet) -> int:
        """Does this packet acknowledge `other`, one that went the opposite way?"""
        if not isinstance(other, Segment) or self.connection != other.connection:
            return 0
        if other.kind == codec.SYN:
            return int(
                self.kind in (codec.SYNACK, codec.RST) and self.ack == (other.seq + 1) % 2**32
            )
        covered = (self.ack - other.seq - 1) % 2**32 < 2**31
        return int(covered or self.echo == other.packet)

    def mysummary(self) -> str:
        """One line for the trace: what it is, where in the stream, what it acknowledges."""
        kind = KINDS.get(self.kind, f"kind {self.kind}")
        flags = f" {self.flags}" if self.flags else ""
        if self.kind in (codec.DATA, codec.PART):
            return f"{kind}{flags} seq={self.seq} packet={self.packet} ack={self.ack}"
        if self.kind == codec.ACK:
            held = len(self.payload) * 8 and bin(
                int.from_bytes(bytes(self.payload), "little")
            ).count("1")
            return f"ACK ack={self.ack} window={self.window}" + (f" +{held} beyond" if held else "")
        return f"{kind} seq={self.seq} ack={self.ack} window={self.window}"


bind_layers(IP, Segment, proto=PROTOCOL)


def summary(frame: bytes) -> str:
    """The trace line of a frame as the wire saw it: with an IP header, or bare (portable form)."""
    if frame[:1] == b"\x45":  # IPv4; a bare packet begins with 0x1_
        frame = frame[20:]
    if len(frame) < codec.HEADER.size:
        return f"truncated, {len(frame)} bytes"
    return str(Segment(frame).mysummary())


def field_bits() -> list[tuple[str, int]]:
    """Each field's name and width in bits: what the fast path and the dissector derive from."""
    return [(field.name, int(getattr(field, "size", 0) or field.sz * 8)) for field in _fields()]


def _fields() -> list[Any]:
    return list(Segment.fields_desc)
