"""The packet's fast path: bytes to fields and back, at the price of one `struct` call.

`packet.py` is the definition, but scapy takes many times as long to build or dissect a packet of
this kind (`eras measure transport` says how many), and is slow to load. So the services use this
file, written out by hand; a test derives the same struct format from the definition's field list
and holds both to the same bytes.

A packet, in network byte order:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+-------+---------------+-------------------------------+
    |version| kind  |     flags     |            window             |
    +-------+-------+---------------+-------------------------------+
    |           ack_delay           |            length             |
    +-------------------------------+-------------------------------+
    |                          connection                           |
    |                              seq                              |
    |                            packet                             |
    |                              ack                              |
    |                             echo                              |
    |                           checksum                            |
    +---------------------------------------------------------------+
    |                        payload  . . .                         |

`seq` counts segments: it says which piece of the stream this is, and a retransmission repeats it.
`packet` counts transmissions and never repeats: `echo`, the packet the peer received last, so says
unambiguously which copy arrived and when it was sent (the ambiguity that Karn and Partridge,
SIGCOMM 1987, could only avoid; RFC 9002 section 3 takes the same way out).
"""

import struct
from typing import NamedTuple
from zlib import crc32

VERSION = 1
SYN, SYNACK, DATA, ACK, PING, RST, PART = range(1, 8)
END, FIN = 1, 2  # flags of DATA: the message ends here; the stream ends here

HEADER = struct.Struct("!BBHHHIIIIII")
_BEFORE_CHECKSUM = struct.Struct("!BBHHHIIIII")
_CHECKSUM = struct.Struct("!I")
_CHECKED_BYTES = _BEFORE_CHECKSUM.size

ACK_DELAY_UNIT_S = 16e-6  # 16 bits of it reach one second
MAX_WINDOW = 0xFFFF
MAX_PAYLOAD = 9000 - 20 - HEADER.size  # of a jumbo frame; windows count segments, memory bytes
_MASK, _HALF = 0xFFFFFFFF, 0x80000000


class Segment(NamedTuple):
    """One packet as it came off the wire. Numbers are the 32 bits that travelled: see `nearest`."""

    kind: int
    flags: int
    window: int
    ack_delay: int
    connection: int
    seq: int
    packet: int
    ack: int
    echo: int
    payload: bytes


def encode(
    kind: int,
    flags: int,
    window: int,
    ack_delay: int,
    connection: int,
    seq: int,
    packet: int,
    ack: int,
    echo: int,
    payload: bytes = b"",
) -> bytes:
    """The packet's bytes. Counters may be of any size: their low 32 bits travel."""
    head = _BEFORE_CHECKSUM.pack(
        VERSION << 4 | kind,
        flags,
        window,
        ack_delay,
        len(payload),
        connection,
        seq & _MASK,
        packet & _MASK,
        ack & _MASK,
        echo & _MASK,
    )
    return head + _CHECKSUM.pack(crc32(payload, crc32(head))) + payload


def decode(frame: bytes, offset: int = 0) -> Segment | None:
    """The packet that begins at `offset` of `frame`; None if it is not a whole, sound one.

    CRC-32 and not TCP's ones' complement sum: it finds every burst of up to 32 wrong bits, and the
    sum is known to pass real damage (Stone and Partridge, SIGCOMM 2000).
    """
    if len(frame) - offset < HEADER.size:
        return None
    first, flags, window, ack_delay, length, connection, seq, packet, ack, echo, checksum = (
        HEADER.unpack_from(frame, offset)
    )
    payload = frame[offset + HEADER.size :]
    if first >> 4 != VERSION or length != len(payload) or length > MAX_PAYLOAD:
        return None
    if crc32(payload, crc32(frame[offset : offset + _CHECKED_BYTES])) != checksum:
        return None
    kind = first & 15
    if not SYN <= kind <= PART:
        return None
    return Segment(kind, flags, window, ack_delay, connection, seq, packet, ack, echo, payload)


def nearest(low: int, expected: int) -> int:
    """The number closest to `expected` whose low 32 bits are `low`.

    All counters are ordinary integers that never wrap; only the 32 bits that travel do. Both ends
    stay within half the circle of each other, so the rest can be put back (RFC 9000 appendix A.3).
    """
    return expected + ((low - expected + _HALF) & _MASK) - _HALF
