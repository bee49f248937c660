"""The raw client: does the steps of a case, reads whatever comes, and tells how it ended."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass

from lab.hostile.case import Await, End, Pause, Step
from lab.hostile.message import Message, read_response
from lab.hostile.upstream import act

QUIET_S = 2.5  # nobody has said anything for so long: the connection stays open
FINAL = 200


@dataclass(frozen=True)
class Heard:
    """What came back on one connection."""

    answers: tuple[Message, ...]  # final ones; the last may be incomplete
    interim: tuple[int, ...]  # the statuses of the others
    rest: bytes  # what is no response
    end: str  # "closed", "reset" or "open"


class Client:
    """One connection to the proxy. Use it once."""

    def __init__(self, address: tuple[str, int]) -> None:
        """OSError if nobody listens there."""
        self._socket = socket.create_connection(address, timeout=QUIET_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard = b""
        self._end = ""

    def play(self, steps: tuple[Step, ...], methods: tuple[str, ...]) -> Heard:
        """Do the steps, then listen until the end; `methods` are those of the requests sent."""
        with self._socket:
            for step in steps:
                if self._end:
                    break
                self._do(step)
            while not self._end:
                self._listen(QUIET_S, "open")
        return hear(self._heard, methods, self._end)

    def _do(self, step: Step) -> None:
        if isinstance(step, Pause):
            self._listen_for(step.s)
        elif isinstance(step, Await):
            self._await(step)
        else:
            self._act(step)

    def _act(self, step: Step) -> None:
        try:
            act(self._socket, step)
        except OSError:  # it may have answered before it went
            self._listen(0.0, "reset")
        if step is End.RESET:
            self._end = "reset"

    def _await(self, step: Await) -> None:
        until = time.monotonic() + step.within_s
        while step.text not in self._heard and not self._end and time.monotonic() < until:
            self._listen(until - time.monotonic(), "")

    def _listen_for(self, s: float) -> None:
        until = time.monotonic() + s
        while not self._end and time.monotonic() < until:
            self._listen(until - time.monotonic(), "")

    def _listen(self, s: float, otherwise: str) -> None:
        """Take what comes within so long; if nothing does, that is the end called `otherwise`."""
        ready, _, _ = select.select([self._socket], [], [], max(0.0, s))
        if not ready:
            self._end = otherwise
            return
        try:
            more = self._socket.recv(1 << 20)
        except OSError:
            self._end = "reset"
            return
        self._heard += more
        self._end = self._end if more else "closed"


def hear(heard: bytes, methods: tuple[str, ...], end: str) -> Heard:
    """Split what came into responses to requests with these methods, in order."""
    answers: list[Message] = []
    interim: list[int] = []
    while heard and (not answers or answers[-1].is_complete):
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        answer = read_response(heard, method, has_ended=end == "closed")
        if not answer:
            break
        heard = heard[answer.size_bytes :]
        if 100 <= answer.status < FINAL and answer.status != 101:
            interim.append(answer.status)
        else:
            answers.append(answer)
    return Heard(tuple(answers), tuple(interim), heard, end)
