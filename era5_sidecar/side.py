"""A listener's side of the proxy: whoever connects is served one request after the other."""

from __future__ import annotations

import contextlib
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from era4_framework.errors import CallFailed
from era5_sidecar import answers
from era5_sidecar.config import LimitsConfig
from era5_sidecar.connection import NEVER, Cut, Sweep
from era5_sidecar.fields import BadMessage
from era5_sidecar.http1 import RequestHead
from era5_sidecar.upload import CallerGone, FromCaller
from era5_sidecar.waiting import TooLate, resume

LINGER_S = 1.0  # how long we read what nobody wants, so that the refusal is not lost with it
LINGER_BYTES = 1 << 20


class Serves(Protocol):
    """What is done for a caller: everything up to the answer. Raises what `serve` understands."""

    limits: LimitsConfig
    is_leaving: bool
    most_age_s: float  # of a connection: it ends with the first answer after that

    def welcome(self, caller: FromCaller) -> None:
        """Somebody has connected. Raises CallFailed if we do not know who it is."""

    async def answer(self, request: RequestHead, caller: FromCaller) -> None:
        """Serve one request."""

    def refused(self, caller: FromCaller, failure: Exception) -> None:
        """It came to nothing: count it."""


class Door:
    """Who is in, or about to come in: all connections of one listener."""

    def __init__(self, side: Serves, sweep: Sweep, most: Callable[[], int]) -> None:
        """most: for how many there is room."""
        self.inside: set[Caller] = set()
        self.knocking: set[Caller] = set()  # connected; TLS is still being agreed on
        self.turned_away = 0
        self.unknown = 0  # whose TLS came to nothing
        self.starved = 0
        self.side = side
        self.sweep = sweep
        self._most = most

    def taken(self) -> int:
        """How many places."""
        return len(self.inside) + len(self.knocking)

    def knock(self) -> Caller | None:
        """Somebody has connected, and takes a place; None: there is no room."""
        if self.taken() >= self._most():
            self.turned_away += 1
            return None
        caller = Caller(self)
        self.knocking.add(caller)
        return caller

    def forget(self, caller: Caller) -> None:
        """Whoever knocked is in by now, or will never be."""
        if caller in self.knocking:
            self.knocking.discard(caller)
            self.unknown += 1


class Caller(FromCaller):
    """A caller's connection, and the coroutine that serves it."""

    __slots__ = ("_door", "_idle_at", "born_at")

    def __init__(self, door: Door) -> None:
        super().__init__(door.sweep, door.side.limits.most_buffer_bytes)
        self._door = door
        self.born_at = self._idle_at = time.monotonic()
        self.asking = None
        self.has_answer = False
        self.is_passed_on = False
        self.is_spent = False
        self.peer = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._door.knocking.discard(self)
        self._door.inside.add(self)
        own = transport.get_extra_info("socket")
        if own is not None and own.family != socket.AF_UNIX:
            # asyncio does this for connections that it made, not for those that it accepted
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        resume(serve(self, self._door.side))

    def connection_lost(self, error: Exception | None) -> None:
        self._door.inside.discard(self)
        super().connection_lost(error)

    def idle_for_s(self, now: float) -> float:
        """How long nothing has come since the last answer, or since it connected; else 0."""
        return 0.0 if self.deadline == NEVER or self.buffer else now - self._idle_at

    def rest(self) -> None:
        """Nothing is asked: wait for the next request as long as may be.

        One that is old is told so with its next answer. Only if nothing is asked for as long again
        it is closed: at once, it would be as a request is on its way (RFC 9112, section 9.3.1).
        """
        side = self._door.side
        self._idle_at = now = time.monotonic()
        self.deadline = now + side.limits.idle_s
        if side.most_age_s != NEVER:
            self.deadline = min(self.deadline, self.born_at + 2 * side.most_age_s)

    def is_old(self) -> bool:
        """Whether the connection has lasted long enough: it ends with the answer."""
        return time.monotonic() - self.born_at >= self._door.side.most_age_s


async def serve(caller: Caller, side: Serves) -> None:
    """All requests of one connection."""
    is_asked = False
    try:
        side.welcome(caller)
        while not caller.is_spent:
            is_asked = False
            if caller.is_full:  # who only asks and never reads would have us keep all answers
                caller.deadline = time.monotonic() + side.limits.body_s
                await caller.drained()
            caller.rest()
            limits = side.limits
            head = await caller.read_head(limits.most_head_bytes, limits.head_s)
            if head is None:
                break
            caller.deadline = NEVER
            caller.has_answer = caller.is_passed_on = False
            is_asked = True
            request = RequestHead(head, limits.most_headers)
            caller.is_spent = request.is_last or side.is_leaving
            if side.most_age_s != NEVER and caller.is_old():
                caller.is_spent = True
            await side.answer(request, caller)
            if caller.is_spent and request.size:  # perhaps its body is still on its way
                await _linger(caller)
    except BadMessage as error:
        await _say_last(caller, answers.misunderstanding(error, not caller.is_passed_on))
        side.refused(caller, error)
    except TooLate as error:
        if caller.buffer or is_asked:  # who is just idle would take it for its next answer
            await _say_last(caller, answers.too_slow(not caller.is_passed_on))
            side.refused(caller, error)
    except CallFailed as error:
        await _say_last(caller, answers.refusal(error, is_last=True))
        side.refused(caller, error)
    except (Cut, CallerGone):
        pass
    except Exception:
        traceback.print_exc()  # one connection must not end the others
        caller.abort()
    finally:
        caller.close()


async def _say_last(caller: FromCaller, answer: bytes) -> None:
    """The last words on a connection, or its end if an answer has begun that is not whole."""
    if caller.has_answer:
        caller.abort()
        return
    caller.write(answer)
    await _linger(caller)


async def _linger(caller: FromCaller) -> None:
    """Bytes that nobody reads make the kernel send a reset, which may overtake the answer."""
    if caller.is_over or caller.transport.is_closing() or not caller.transport.can_write_eof():
        return
    caller.deadline = time.monotonic() + LINGER_S
    heard = len(caller.buffer)
    with contextlib.suppress(Cut, TooLate, OSError, RuntimeError):
        caller.transport.write_eof()
        while heard < LINGER_BYTES:
            heard += len(await caller.read_piece())
