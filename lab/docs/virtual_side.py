"""A connection of era 1 at one end of the virtual wire, with a service that takes and replies."""

import importlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from lab import find

LANES = ("orders", "inventory")
Note = Callable[[float, str, str], None]

codec, connection_module = (
    importlib.import_module(f"{find.find('1').package}.{name}") for name in ("codec", "connection")
)


class Side:
    """One connection as the wire's endpoint. `note` is told what it noticed: when, who, what."""

    def __init__(self, note: Note, place: int, window: int, first_seq: int) -> None:
        self.name = LANES[place]
        self.connection: Any = connection_module.Connection(
            identity=1, random=Random(place), window=window, first_seq=first_seq
        )
        self.takes = True  # the application fetches what arrives
        self.reply: Callable[[bytes], bytes | None] = lambda message: None
        self._note = note
        self._asked_at = 0.0  # when it last sent what it waits for

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
            self._note(now, self.name, f"the service gets {describe(message)}")
            answer = self.reply(message)
            if answer:
                self.connection.send(answer)

    def outgoing(self, now: float) -> Sequence[bytes]:
        """See Endpoint."""
        frames = list(self.connection.outgoing(now))
        if any(codec.decode(frame).kind != codec.PING for frame in frames):  # are you there?
            self._asked_at = now
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
            self._note(now, self.name, f"gives up: {self.connection.error}")

    def _tell(self, before: tuple[dict[str, int], dict[str, int]], now: float) -> None:
        connection, sender = self.connection, self.connection.sender
        new = {name: count - before[0][name] for name, count in connection.counts.items()}
        new |= {name: count - before[1][name] for name, count in sender.counts.items()}
        if new["malformed"]:
            self._note(now, self.name, "the checksum is wrong: thrown away")
        if new["duplicates"]:
            self._note(now, self.name, "had that already: acknowledged, not delivered")
        if new["lost"]:
            self._note(now, self.name, f"{new['lost']} overtaken: believed lost")
        if new["spurious"]:
            self._note(now, self.name, "it was only late: more patience from now on")
        if new["timeouts"]:
            waited_ms = (now - self._asked_at) * 1000
            probe = f"nothing heard for {waited_ms:.0f} ms: probe"
            asks = f"{waited_ms:.0f} ms later: is there room now?"
            self._note(now, self.name, asks if sender.blocked else probe)
            self._asked_at = now


def describe(message: bytes) -> str:
    """A message as the reader should see it: its words if it is short."""
    if len(message) > 60:
        return f"a message of {len(message):,} bytes"
    return message.decode()
