"""One direction of the wire, without sockets or clock: frames go in, some come out later.

A frame passes these stations, in this order:

    push ─▶ partitioned? ─▶ too big? ─▶ queue full? ─▶ serialised at rate_bps ─▶ lost?
         ─▶ delayed, jittered ─▶ held back? ─▶ a bit flipped? ─▶ doubled? ─▶ delivered

Loss comes after the slow link, so a lost frame has used its share of the bandwidth, as on a path
whose bottleneck is the first hop.

Every frame draws the same random numbers whatever the knobs say. So the fate of frame n depends
on (seed, direction, n) alone, and raising `loss` loses the same frames and some more (common
random numbers): two transports, or two settings, can be compared frame by frame.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab.wire.knobs import Knobs, held_s, read_script

Delivery = tuple[float, bytes]  # (deliver at, frame)
Fate = tuple[tuple[str, str], ...]  # what the wire did besides carrying: (what, why or how much)

# A scripted fate in terms of the draws it replaces: (lost, doubled, spoilt, held).
# −1 is below every knob and so always happens, 1 is below none and so never happens.
_SCRIPTED = {
    "deliver": (1.0, 1.0, 1.0, 1.0),
    "drop": (-1.0, 1.0, 1.0, 1.0),
    "duplicate": (1.0, -1.0, 1.0, 1.0),
    "corrupt": (1.0, 1.0, -1.0, 1.0),
}


class Line:
    """One direction of the wire."""

    __slots__ = (
        "_draw",
        "_free_at",
        "_knobs",
        "_last_at",
        "bytes",
        "counts",
        "fate",
        "frames",
        "script",
    )

    def __init__(self, seed: int, name: str, knobs: Knobs) -> None:
        """`seed` and `name` together choose the fates; `knobs` may be replaced at any time."""
        self._draw = random.Random(f"{seed}/{name}").random
        self._free_at = 0.0  # when the slow link has sent all that is queued
        self._last_at = 0.0  # the latest in-order delivery: nothing overtakes unless it is held
        self.frames = 0  # pushed so far, which is also the number of the next frame
        self.bytes = 0
        self.counts: Counter[str] = Counter()
        self.fate: Fate = ()  # of the frame pushed last
        self.script: deque[str] = deque()
        self._knobs = knobs
        self.knobs = knobs

    @property
    def knobs(self) -> Knobs:
        """The knobs in force. Their script is empty: what is left of it is in `script`."""
        return self._knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        if knobs.script:
            self.follow(knobs.script)
        self._knobs = replace(knobs, script=())

    def follow(self, fates: Iterable[str]) -> None:
        """Let the next frames meet these fates; an unfinished script is forgotten."""
        self.script = deque(read_script(fates))

    def push(self, now: float, frame: bytes) -> Sequence[Delivery]:
        """Send a frame at `now` (seconds); return what will come out of the other end, and when."""
        draw = self._draw
        lost, doubled, spoilt, held = draw(), draw(), draw(), draw()
        swing, place = draw(), draw()
        knobs = self._knobs
        size = len(frame)
        self.frames += 1
        self.bytes += size
        self.fate = ()
        if knobs.partitioned:
            return self._drop("partitioned", "the wire is cut")
        if size > knobs.mtu_bytes:
            return self._drop("too_big", f"{size} bytes, the MTU is {knobs.mtu_bytes}")
        at = now
        if knobs.rate_bps:
            if not self._has_room(now, size):
                return self._drop("queue_full", f"no room in {knobs.queue_bytes} bytes")
            at = self._free_at = max(self._free_at, now) + size * 8 / knobs.rate_bps
        held_by_s = knobs.reorder_by_s
        if self.script:
            swing, fate = 0.5, self.script.popleft()
            held_by_s = held_s(fate) or 0.0
            lost, doubled, spoilt, held = _SCRIPTED.get(fate, (1.0, 1.0, 1.0, -1.0))
        if lost < knobs.loss:
            return self._drop("lost", "lost")
        at += knobs.delay_s
        if knobs.jitter_s:
            at = max(now, at + (2 * swing - 1) * knobs.jitter_s)
        if held < knobs.reorder:
            held_by_s = held_by_s or knobs.delay_s / 2 + 0.002
            self._note("reordered", "reorder", f"held back {held_by_s * 1000:.1f} ms")
            at += held_by_s
        elif at < self._last_at:
            at = self._last_at
        else:
            self._last_at = at
        if spoilt < knobs.corrupt and size:
            frame = self._spoil(frame, int(place * size * 8))
        if doubled < knobs.duplicate:
            self._note("duplicated", "duplicate", "arrives twice")
            return ((at, frame), (at, frame))
        return ((at, frame),)

    @property
    def stats(self) -> dict[str, int]:
        """Counts so far. `delivered` includes copies and frames that are still under way."""
        counts = self.counts
        dropped = sum(counts[why] for why in ("partitioned", "too_big", "queue_full", "lost"))
        return {
            "sent": self.frames,
            "bytes": self.bytes,
            "delivered": self.frames - dropped + counts["duplicated"],
            "lost": counts["lost"],
            "duplicated": counts["duplicated"],
            "reordered": counts["reordered"],
            "corrupted": counts["corrupted"],
            "queue_full": counts["queue_full"],
            "too_big": counts["too_big"],
            "partitioned": counts["partitioned"],
        }

    def _has_room(self, now: float, size: int) -> bool:
        """Whether the queue takes a frame: an idle link takes any, whatever its size."""
        room = self._knobs.queue_bytes
        waiting_bytes = (self._free_at - now) * self._knobs.rate_bps / 8
        # + 1 because times are floats: a frame that just fits must not fall to a rounding error.
        return not room or waiting_bytes <= 0 or waiting_bytes + size < room + 1

    def _drop(self, count: str, why: str) -> Sequence[Delivery]:
        self._note(count, "drop", why)
        return ()

    def _spoil(self, frame: bytes, bit: int) -> bytes:
        self._note("corrupted", "corrupt", f"bit {bit & 7} of byte {bit >> 3} flipped")
        spoilt = bytearray(frame)
        spoilt[bit >> 3] ^= 1 << (bit & 7)
        return bytes(spoilt)

    def _note(self, count: str, what: str, why: str) -> None:
        self.counts[count] += 1
        self.fate += ((what, why),)

    def __repr__(self) -> str:
        return f"<Line {self.frames} frames, {dict(self.counts)}, {self._knobs}>"
