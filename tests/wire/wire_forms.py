"""One conversation in three forms: orders speaks numbered frames, inventory echoes each."""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lab.wire import Wire
from lab.wire.control import Control
from lab.wire.process import WireProcess

TALK = str(Path(__file__).with_name("wire_talk.py"))
UDP_IP_BYTES = 28  # in form real a frame is the datagram with these headers
TIMEOUT_S = 20


@dataclass(frozen=True)
class Heard:
    """What one side heard: (seconds after it was first sent, number, whether it is intact)."""

    after_s: float
    number: int
    intact: bool


@dataclass(frozen=True)
class Talk:
    """One round of speaking: what inventory heard, and what echo orders heard."""

    there: list[Heard]
    back: list[Heard]

    def numbers(self):
        return [heard.number for heard in self.there]

    def lost(self, frames):
        return set(range(frames)) - set(self.numbers())

    def delays(self):
        return [heard.after_s for heard in self.there]


def numbered(number, size):
    """A frame that is nothing but its number, so that one spoilt bit does not hide it."""
    return number.to_bytes(4, "big") * (size // 4)


def heard(at, frame, sent):
    words = Counter(frame[i : i + 4] for i in range(0, len(frame), 4))
    number = int.from_bytes(words.most_common(1)[0][0], "big")
    return Heard(at - sent[number], number, frame == numbered(number, len(frame)))


class VirtualForm:
    """The wire in this process, on virtual time, with the commands of the process."""

    header_bytes = 0

    def __init__(self, knobs, seed, back=None):
        self._wire = Wire(seed, knobs, back)
        self._control = Control(self._wire.lines, undeliverable=[0, 0], verbs={})
        self._now = 0.0

    def speak(self, frames=300, size=100, gap_s=0.0005, echoes=None):
        sent, there, back = [], [], []
        for number in range(frames):
            self._run(self._now + gap_s, sent, there, back)
            sent.append(self._now)
            self._wire.push(self._now, 0, numbered(number, size))
        while (at := self._wire.next_time()) is not None:
            self._run(at, sent, there, back)
        return Talk(there, back)

    def _run(self, until, sent, there, back):
        while (at := self._wire.next_time()) is not None and at <= until:
            for port, frame in self._wire.pop_due(at):
                (back, there)[port].append(heard(at, frame, sent))
                if port == 1:
                    self._wire.push(at, 1, frame)
        self._now = until

    def set(self, direction=None, **knobs):
        self._ask(do="set", direction=direction, knobs=knobs)

    def script(self, direction, fates):
        self._ask(do="script", direction=direction, fates=fates)

    def partition(self, direction=None):
        self.set(direction, partitioned=True)

    def heal(self, direction=None):
        self._ask(do="heal", direction=direction)

    def stats(self):
        return self._ask(do="stats")

    def _ask(self, **command):
        return self._control.obey(json.dumps(command).encode())["ok"]


class ProcessForm:
    """The wire as a process, between two processes that talk UDP through the kernel."""

    def __init__(self, form, wire):
        self.header_bytes = UDP_IP_BYTES if form == "real" else 0
        self._form, self._wire = form, wire
        self._orders, self._inventory = (
            (wire.orders.argv_prefix(), wire.inventory.argv_prefix())
            if form == "real"
            else ([], [])
        )
        for verb in ("set", "script", "partition", "heal", "stats"):
            setattr(self, verb, getattr(wire, verb))

    def speak(self, frames=300, size=100, gap_s=0.0005, echoes=None):
        """`echoes` is how many to wait for; without it, half a second of silence decides."""
        wish = {
            "frames": [numbered(number, size).hex() for number in range(frames)],
            "gap_s": gap_s,
            "echoes": frames * 2 if echoes is None else echoes,
        }
        with self._listener() as (port, came):
            orders = subprocess.run(
                [*self._orders, sys.executable, TALK, "speak", self._address(port)],
                input=json.dumps(wish),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=True,
            )
        said = json.loads(orders.stdout)
        there, back = (
            [heard(at, bytes.fromhex(frame), said["sent"]) for at, frame in events]
            for events in (came, said["came"])
        )
        return Talk(there, back)

    @contextlib.contextmanager
    def _listener(self):
        """A listening inventory: yields its port and a list that is filled when it ends."""
        host = "10.7.0.2" if self._form == "real" else "127.0.0.1"
        came = []
        with subprocess.Popen(
            [*self._inventory, sys.executable, TALK, "listen", f"{host}:0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as listener:
            try:
                yield int(listener.stdout.readline()), came
                out, _ = listener.communicate(timeout=TIMEOUT_S)
                came += json.loads(out)
            finally:
                listener.kill()

    def _address(self, port):
        if self._form == "real":
            return f"10.7.0.2:{port}"
        self._wire.forward_to(f"udp://127.0.0.1:{port}")
        return self._wire.address_for_orders.removeprefix("udp://")


@contextlib.contextmanager
def opened(form, knobs, seed, back=None):
    """The wire in one of its forms, ready to be spoken over."""
    if form == "virtual":
        yield VirtualForm(knobs, seed, back)
        return
    start = WireProcess.real if form == "real" else WireProcess.portable
    with start(knobs, seed=seed, back=back) as wire:
        yield ProcessForm(form, wire)
