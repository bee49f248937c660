"""A request's body: as much of it as is kept for another attempt, and then the rest of a large one,
which is sent on while its answer is awaited: that may come early.
"""

from __future__ import annotations

import socket
import time

from era5_sidecar import answers
from era5_sidecar.bodies import Body, Patience, relay
from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER, Connection, Cut
from era5_sidecar.endpoint import ToUpstream
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import RequestHead
from era5_sidecar.waiting import TooLate, resume

QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
NO_BODY: tuple[bytes, None] = (b"", None)


class CallerGone(Exception):
    """Nobody is left to answer."""


class FromCaller(Connection):
    """A connection that somebody opened to us. Who leaves while we ask for him, has us stop."""

    __slots__ = ("asking", "has_answer", "is_passed_on", "is_spent", "peer")

    asking: ToUpstream | None
    has_answer: bool  # the answer to the request under way has begun
    is_passed_on: bool  # a part of it has, and perhaps something was done for it
    is_spent: bool  # no other request can follow on it
    peer: str

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.asking is not None:
            self.asking.abort()


class Upload:
    """Sends on the rest of a request's body while its answer is awaited: it may come early."""

    def __init__(
        self,
        rest: Body,
        grace_s: float,
        timeout_s: float,
        caller: FromCaller,
        up: ToUpstream,
        limits: LimitsConfig,
    ) -> None:
        """grace_s: waited for the rest, beyond what its bytes earn. timeout_s: for the answer,
        once all is sent.
        """
        self.is_over = False
        self.failure: Exception | None = None
        self._caller = caller
        self._up = up
        caller.is_passed_on = True
        self._work = self._run(rest, grace_s, timeout_s, limits)
        resume(self._work)

    async def _run(
        self, rest: Body, grace_s: float, timeout_s: float, limits: LimitsConfig
    ) -> None:
        longest_s, rate = limits.body_s, limits.least_body_bytes_per_s
        sends, reads = Patience(grace_s, longest_s, rate), Patience(longest_s, longest_s, rate)
        try:
            self._up.deadline = NEVER  # who is not asked yet cannot be late
            await relay(rest, self._caller, self._up, sends, reads)
            self.is_over = True
            self._caller.deadline = NEVER
            if not self._caller.has_answer:  # it has not come early
                self._up.deadline = time.monotonic() + timeout_s
        except (BadMessage, Cut, TooLate) as error:
            self.failure = CallerGone() if self._caller.is_lost else error
            if self._up.is_lost or self._up.is_full:
                self.failure = None  # it is the instance that has gone, or does not read
            self._up.abort()

    def stop(self) -> None:
        """The answer is there: nobody wants the rest."""
        self._work.close()
        self._caller.waiting = None
        if self._up.outlet is not None:
            self._up.outlet.waiting = None


def hurry(caller: FromCaller) -> None:
    """Acknowledge what has come. Who sends head and body apart with Nagle's algorithm on (RFC 896;
    urllib3 does, to a proxy) waits for that, and kernels delay it 40 ms (RFC 1122, 4.2.3.2).
    """
    connection = caller.transport.get_extra_info("socket")
    if QUICKACK is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


async def body_of(
    request: RequestHead, caller: FromCaller, limits: LimitsConfig
) -> tuple[bytes, Body | None]:
    """The body as far as it is small enough to be sent twice, and where a rest comes from."""
    size = request.size
    if request.expects_continue and not caller.buffer:
        caller.write(answers.CONTINUE)
    if 0 < size <= len(caller.buffer) and size <= limits.replay_bytes:  # the usual case
        start, caller.buffer = caller.buffer[:size], caller.buffer[size:]
        return start, None
    if not caller.buffer:
        hurry(caller)
    body = Body(caller, size)
    caller.deadline = time.monotonic() + limits.body_s
    if size > limits.replay_bytes:
        start = await body.piece()
    else:
        start = await body.whole(limits.replay_bytes)
    caller.deadline = NEVER
    return start, None if body.is_over else body


def forget_body(request: RequestHead, caller: FromCaller) -> None:
    """A refused request's body stands before the next request: skip it, or make this the last."""
    if request.size == 0:
        return
    if 0 < request.size <= len(caller.buffer):
        caller.buffer = caller.buffer[request.size :]
    else:
        caller.is_spent = True
