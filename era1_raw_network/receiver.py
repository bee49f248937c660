"""The receiving half: segments in order, each once, whole messages out, never more than fits.

Pure: segments in, messages out. What is missing is known by two numbers: `next`, before which all
is here, and `held`, a bitmap of what arrived beyond it (bit i: segment next + i). Both travel back
in every acknowledgement: the cumulative ack of 1981 (RFC 793) and the selective one of 1996
(RFC 2018), here as a bitmap and so exact over the whole window.
"""

import struct
from collections import deque
from enum import Enum

from era1_raw_network.codec import END, FIN

SACK_BYTES = 1024  # 8,192 segments beyond the gap fit in one acknowledgement
PART_HEADER = struct.Struct("!HH")
MOST_PARTS = 8  # of one segment
MOST_FRAGMENTED = 256  # segments of which some parts are here and others not
MAX_MESSAGE_BYTES = 16 << 20  # a message is collected whole: without a bound, memory has none
MAX_MESSAGE_SEGMENTS = 1 << 18  # nor if each of them carried nothing


class Fate(Enum):
    """What became of a segment that arrived."""

    IN_ORDER = "in order"
    GAP_FILLED = "gap filled"
    HELD = "held"
    DUPLICATE = "duplicate"
    BEYOND_WINDOW = "beyond window"
    MALFORMED = "malformed"
    MESSAGE_TOO_LONG = "message too long"


class Receiver:
    """Reassembles the peer's stream of segments, numbered from `first_seq`, into messages.

    capacity: how many segments may wait here, out of order or not yet taken by the application.
    """

    def __init__(self, first_seq: int, capacity: int) -> None:
        self.next = first_seq
        self.held = 0
        self.capacity = capacity
        self.ended = False  # the peer's FIN arrived, and everything before it
        self._edge = first_seq + capacity  # the first segment that was never offered room
        self._held_segments: dict[int, tuple[int, bytes]] = {}
        self._parts: list[bytes] = []
        self._part_bytes = 0
        self._messages: deque[bytes] = deque()
        self._fragments: dict[int, dict[int, bytes]] = {}  # seq: offset: bytes of a PART
        self._waiting = 0  # segments in whole messages that nobody has taken yet

    def __repr__(self) -> str:
        return (
            f"<Receiver next={self.next} held={len(self._held_segments)} "
            f"waiting={self._waiting} window={self._edge - self.next}>"
        )

    def offer(self) -> int:
        """How many segments from `next` on may come. What was offered once stays offered: the
        window's right edge never moves back (RFC 9293 section 3.8.6)."""
        edge = self.next + self.capacity - self._waiting
        if edge > self._edge:
            self._edge = edge
        return self._edge - self.next

    def accept(self, seq: int, flags: int, payload: bytes) -> Fate:
        """Take one segment. The first copy counts: a later one never overwrites any of it."""
        ahead = seq - self.next
        if seq >= self._edge:  # also the very next one: a peer may not believe in our window
            return Fate.BEYOND_WINDOW
        if ahead == 0 and not self.held:  # nearly always: nothing is missing
            return self._deliver(flags, payload)
        if ahead < 0 or self.held >> ahead & 1:
            return Fate.DUPLICATE
        self.held |= 1 << ahead
        self._held_segments[seq] = (flags, payload)
        if ahead > 0:
            return Fate.HELD
        return self._deliver_run()

    def accept_part(self, seq: int, flags: int, payload: bytes) -> Fate:
        """Take a part of a segment that was too large for the path, and the segment once complete.

        payload: offset and total length, 16 bits each, then the bytes. Parts that cannot be true
        (past the end, not adjoining) are never spliced: the segment then just stays missing.
        """
        if len(payload) <= PART_HEADER.size:
            return Fate.MALFORMED
        offset, total = PART_HEADER.unpack_from(payload)
        chunk = payload[PART_HEADER.size :]
        if offset + len(chunk) > total:
            return Fate.MALFORMED
        ahead = seq - self.next
        if ahead < 0 or self.held >> ahead & 1:
            return Fate.DUPLICATE
        if seq >= self._edge:
            return Fate.BEYOND_WINDOW
        if len(self._fragments) >= MOST_FRAGMENTED and seq not in self._fragments:
            return Fate.BEYOND_WINDOW
        parts = self._fragments.setdefault(seq, {})
        if len(parts) < MOST_PARTS:
            parts.setdefault(offset, chunk)
        whole = b"".join(parts[at] for at in sorted(parts))
        starts = [sum(len(parts[at]) for at in sorted(parts) if at < this) for this in parts]
        if len(whole) != total or starts != list(parts):
            return Fate.HELD
        del self._fragments[seq]
        return self.accept(seq, flags, whole)

    def _deliver_run(self) -> Fate:
        """The gap is filled: deliver from `next` up to the following gap."""
        ones = (~self.held & (self.held + 1)).bit_length() - 1
        self.held >>= ones
        for seq in range(self.next, self.next + ones):
            flags, payload = self._held_segments.pop(seq)
            fate = self._deliver(flags, payload)
            if fate is Fate.MESSAGE_TOO_LONG:
                return fate
        return Fate.GAP_FILLED

    def _deliver(self, flags: int, payload: bytes) -> Fate:
        if self._fragments:  # some parts of it may be here as well
            self._fragments.pop(self.next, None)
        self.next += 1
        if flags & FIN:
            self.ended = True
            return Fate.IN_ORDER
        if self.ended:  # nothing comes after the end: a peer that says otherwise is not believed
            return Fate.IN_ORDER
        self._parts.append(payload)
        self._part_bytes += len(payload)
        if flags & END:
            self._waiting += len(self._parts)
            self._messages.append(b"".join(self._parts))
            self._parts, self._part_bytes = [], 0
        elif self._part_bytes > MAX_MESSAGE_BYTES or len(self._parts) > MAX_MESSAGE_SEGMENTS:
            return Fate.MESSAGE_TOO_LONG
        return Fate.IN_ORDER

    def take(self) -> list[bytes]:
        """The whole messages that have arrived, oldest first; their room is free again."""
        messages = list(self._messages)
        self._messages.clear()
        self._waiting = 0
        return messages

    def sack(self) -> bytes:
        """What arrived beyond `next`, as the payload of an acknowledgement."""
        if not self.held:
            return b""
        bits = self.held & ((1 << SACK_BYTES * 8) - 1)
        return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
