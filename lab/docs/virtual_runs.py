"""Runs of era 1 on virtual time, for the ladders that explain its mechanisms one by one.

Each gives two real connections one wire whose faults are chosen or seeded, lets them talk, and
records what they did: the same bytes on every machine, so CI runs them again and compares. The
numbers start at 0 here for the reader's sake; the era itself starts them at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.docs.recording import Event, Recorder
from lab.docs.virtual_side import LANES, Side, codec
from lab.wire import Knobs
from lab.wire.line import Delivery, Fate
from lab.wire.virtual import Virtual

WAY_S = 0.01
MADE_BY = "Two real connections of era 1 on a wire in virtual time; recorded by lab/docs."


@dataclass
class Plan:
    """What a run does. Times are seconds, counted from where the recording begins."""

    title: str
    play: Callable[["Stage"], None]
    knobs: Knobs = field(default_factory=lambda: Knobs(delay_s=WAY_S))
    back: Knobs | None = None
    seed: int = 7
    window: int = 8192
    until_s: float = 3.0
    first_seq: int = 0
    opened: bool = True  # leave the opening out of the recording
    shows_window: bool = False


class Stage:
    """Two sides, a wire, a recorder."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.recorder = Recorder(plan.title, LANES, MADE_BY)
        self.is_recording = not plan.opened
        self.orders, self.inventory = (
            Side(self.note, place, plan.window, plan.first_seq) for place in (0, 1)
        )
        start = Knobs(delay_s=plan.knobs.delay_s) if plan.opened else plan.knobs
        self.virtual = Virtual(plan.seed, start, self.orders, self.inventory)
        self.virtual.wire.witness = self
        self._under_way: dict[tuple[int, int], Event] = {}
        self._sent: set[tuple[int, int]] = set()
        self._acked: dict[int, int] = {}
        self._begins_s = 0.0

    def run(self) -> dict[str, Any]:
        """Play the plan and return the recording."""
        self.orders.connection.connect(0.0)
        if self.plan.opened:  # a conversation that is in full swing: round trip known, nothing due
            self.orders.connection.send(b"hello")
            self.virtual.run(until=0.5)
            self._begins_s = self.virtual.now
            self.is_recording = True
            self.set(self.plan.knobs, self.plan.back)
        self.plan.play(self)
        self.virtual.run(until=self._begins_s + self.plan.until_s)
        return self.recorder.done()

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do something at a time, counted from where the recording begins."""
        self.virtual.at(self._begins_s + time_s, action)

    def set(self, there: Knobs, back: Knobs | None = None) -> None:
        """Turn the knobs of the wire."""
        for line, knobs in zip(self.virtual.wire.lines, (there, back or there), strict=True):
            line.knobs = knobs

    def note(self, now: float, on: str, words: str) -> None:
        """Put a remark into the recording."""
        if self.is_recording:
            self.recorder.note(now - self._begins_s, on, words)

    def entered(
        self,
        now: float,
        port: int,
        number: int,
        frame: bytes,
        fate: Fate,
        copies: Sequence[Delivery],
    ) -> None:
        """See lab.wire.core.Witness."""
        label, kind = self._describe(port, frame)
        if not self.is_recording:
            return
        begin, end = LANES[port], LANES[1 - port]
        event = self.recorder.send(now - self._begins_s, begin, end, label, kind)
        event["fate"] = ", ".join(why for _, why in fate)
        self._under_way[port, number] = event

    def delivered(self, now: float, port: int, number: int, frame: bytes) -> None:
        """See lab.wire.core.Witness."""
        event = self._under_way.get((1 - port, number))
        if event:
            self.recorder.arrive(event, now - self._begins_s)

    def _describe(self, port: int, frame: bytes) -> tuple[str, str]:
        segment = codec.decode(frame)
        window = f", room for {segment.window}" if self.plan.shows_window else ""
        if segment.kind == codec.DATA:
            return self._data(port, segment)
        if segment.kind == codec.ACK:
            self._acked[port] = segment.ack
            return f"ACK {segment.ack}{beyond(segment)}{window}", "ack"
        names = {
            codec.SYN: f"SYN, my numbers start at {segment.seq}",
            codec.SYNACK: f"SYNACK, mine at {segment.seq}",
            codec.PING: "PING",
            codec.RST: "RST",
            codec.PART: f"PART of {segment.seq}",
        }
        return names[segment.kind], "control"

    def _data(self, port: int, segment: Any) -> tuple[str, str]:
        key = (port, segment.seq)
        kind = "again" if key in self._sent else "data"
        self._sent.add(key)
        name = "FIN" if segment.flags & codec.FIN else "DATA"
        news = segment.ack > self._acked.get(port, segment.ack)
        self._acked[port] = segment.ack
        return f"{name} {segment.seq}{f' + ACK {segment.ack}' if news else ''}", kind


def beyond(segment: Any) -> str:
    """What a selective acknowledgement says beyond the cumulative one."""
    bits = int.from_bytes(segment.payload, "little")
    held = [segment.ack + place for place in range(bits.bit_length()) if bits >> place & 1]
    return f", has {spans(held)}" if held else ""


def spans(numbers: Sequence[int]) -> str:
    """`4 to 6, 9`: runs of numbers shortened."""
    said: list[str] = []
    begin = 0
    for place, number in enumerate(numbers):
        if place + 1 < len(numbers) and numbers[place + 1] == number + 1:
            continue
        first = numbers[begin]
        said.append(str(number) if first == number else f"{first} to {number}")
        begin = place + 1
    return ", ".join(said)
