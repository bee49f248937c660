"""Runs of era 1 on virtual time, for the ladders that explain its mechanisms one by one.

Each gives two real connections one wire whose faults are chosen or seeded, lets them talk, and
records what they did: the same bytes on every machine, so CI runs them again and compares. The
numbers start at 0 here for the reader's sake; the era itself starts them at random.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from lab import find
from lab.docs.recording import Event, Recorder
from lab.wire import Knobs
from lab.wire.core import Delivery, Fate
from lab.wire.virtual import Virtual

LANES = ("orders", "inventory")
WAY_S = 0.01
MADE_BY = "Two real connections of era 1 on a wire in virtual time; recorded by lab/docs."

codec, connection_module = (
    importlib.import_module(f"{find.find('1').package}.{name}") for name in ("codec", "connection")
)


@dataclass
class Plan:
    """What a run does. Times are seconds; `size` counts segments."""

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


class Side:
    """One connection as the wire's endpoint; tells the recorder what it noticed."""

    def __init__(self, stage: "Stage", place: int, window: int, first_seq: int) -> None:
        self.name = LANES[place]
        self.connection: Any = connection_module.Connection(
            identity=1, random=Random(place), window=window, first_seq=first_seq
        )
        self.takes = True  # the application fetches what arrives
        self.reply: Callable[[bytes], bytes | None] = lambda message: None
        self._stage = stage
        self._sent_at = 0.0

    def receive(self, frame: bytes, now: float) -> None:
        """See Endpoint."""
        connection = self.connection
        before = dict(connection.counts), dict(connection.sender.counts)
        segment = codec.decode(frame)
        if connection.state is connection_module.State.CLOSED and segment.kind == codec.SYN:
            connection.accept(now, segment.seq)
        connection.receive(frame, now)
        self._tell(before, now)
        self.fetch(now)

    def fetch(self, now: float) -> None:
        """The application takes what has arrived, if it is in the mood, and perhaps replies."""
        if not self.takes:
            return
        for message in self.connection.take():
            self._stage.note(now, self.name, f"the service gets {describe(message)}")
            answer = self.reply(message)
            if answer:
                self.connection.send(answer)

    def outgoing(self, now: float) -> Sequence[bytes]:
        """See Endpoint."""
        frames = list(self.connection.outgoing(now))
        self._sent_at = now if frames else self._sent_at
        return frames

    def next_wakeup(self) -> float | None:
        """See Endpoint."""
        wakeup: float | None = self.connection.next_wakeup()
        return wakeup

    def wake(self, now: float) -> None:
        """See Endpoint."""
        before = dict(self.connection.counts), dict(self.connection.sender.counts)
        error = self.connection.error
        self.connection.wake(now)
        self._tell(before, now)
        if self.connection.error != error:
            self._stage.note(now, self.name, f"gives up: {self.connection.error}")

    def _tell(self, before: tuple[dict[str, int], dict[str, int]], now: float) -> None:
        connection, sender = self.connection, self.connection.sender
        new = {name: count - before[0][name] for name, count in connection.counts.items()}
        new |= {name: count - before[1][name] for name, count in sender.counts.items()}
        if new["malformed"]:
            self._stage.note(now, self.name, "the checksum is wrong: thrown away")
        if new["duplicates"]:
            self._stage.note(now, self.name, "had that already: acknowledged, not delivered")
        if new["lost"]:
            self._stage.note(now, self.name, f"{new['lost']} overtaken: believed lost")
        if new["spurious"]:
            self._stage.note(now, self.name, "it was only late: more patience from now on")
        if new["timeouts"]:
            wanted = "is there room?" if sender.blocked else "probe"
            waited_ms = (now - self._sent_at) * 1000
            self._stage.note(now, self.name, f"nothing heard for {waited_ms:.0f} ms: {wanted}")


class Stage:
    """Two sides, a wire, a recorder."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.recorder = Recorder(plan.title, LANES, MADE_BY)
        self.is_recording = not plan.opened
        self.orders, self.inventory = (
            Side(self, place, plan.window, plan.first_seq) for place in (0, 1)
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


def describe(message: bytes) -> str:
    """A message as the reader should see it: its words if it is short."""
    if len(message) > 60:
        return f"a message of {len(message):,} bytes"
    return message.decode()
