"""One stream after another to the same side: whatever ends is begun again.

Soon, and with some chance in it, so that a control plane that comes back is not overrun. Why one
has ended is said once, until it is another reason.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from random import Random

import grpc

from era4_framework.config import BackoffConfig
from era4_framework.policies.backoff import Backoff

BACKOFF = BackoffConfig(base_s=0.2, cap_s=0.6)

Say = Callable[[str], None]


class Complaints:
    """Each is said once, until it is another one."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said: dict[str, str] = {}

    def tell(self, about: str, complaint: str) -> None:
        """about: whose it is. complaint: empty, if there is none any more."""
        before = self._said.get(about, "")
        if complaint and complaint != before:
            self._say(f"{about}: {complaint}")
        if before and not complaint:
            self._say(f"{about}: answers again")
        self._said[about] = complaint


class Streams:
    """To one side, whose name is `whom`."""

    def __init__(
        self, whom: str, begin: Callable[[], Awaitable[None]], rng: Random, complaints: Complaints
    ) -> None:
        """begin: one stream, from its start to its end."""
        self.whom = whom
        self._begin = begin
        self._backoff = Backoff(BACKOFF, rng)
        self._complaints = complaints
        self._retry = 0
        self._anew = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._anew.clear()
            stream = asyncio.ensure_future(self._begin())
            waiting = asyncio.ensure_future(self._anew.wait())
            try:
                await asyncio.wait((stream, waiting), return_when=asyncio.FIRST_COMPLETED)
            finally:
                stream.cancel()
                waiting.cancel()
                await asyncio.gather(stream, waiting, return_exceptions=True)
            if self._anew.is_set():
                continue
            self._complaints.tell(self.whom, _why(stream))
            await asyncio.sleep(self._backoff.wait_s(self._retry))
            self._retry += 1

    def begin_anew(self) -> None:
        """At once: what we showed or said of ourselves on this one is no longer so."""
        self._anew.set()

    def heard(self) -> None:
        """The other side has answered: what went wrong before counts no more."""
        self._retry = 0
        self._complaints.tell(self.whom, "")


def _why(stream: asyncio.Future[None]) -> str:
    if stream.cancelled():
        return "cancelled"
    error = stream.exception()
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if error:
        traceback.print_exception(error)  # a mistake of ours must not end what is in force
    return repr(error) if error else "it ended the stream"
