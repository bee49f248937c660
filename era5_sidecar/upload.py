"""The rest of a large request's body, sent on while its answer is awaited: that may come early."""

from __future__ import annotations

import time

from era5_sidecar.bodies import Body, relay
from era5_sidecar.connection import NEVER, Connection, Cut
from era5_sidecar.fields import BadMessage
from era5_sidecar.upstream import ToUpstream
from era5_sidecar.waiting import TooLate, resume


class CallerGone(Exception):
    """Nobody is left to answer."""


class FromCaller(Connection):
    """A connection that somebody opened to us. Who leaves while we ask for him, has us stop."""

    __slots__ = ("asking", "has_answer", "is_spent", "peer")

    asking: ToUpstream | None
    has_answer: bool  # the answer to the request under way has begun
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
        timeout_s: float,
        caller: FromCaller,
        up: ToUpstream,
        silence_s: float,
    ) -> None:
        """timeout_s: for the answer, once all is sent. silence_s: how long a side may be idle."""
        self.is_over = False
        self.failure: Exception | None = None
        self._caller = caller
        self._up = up
        self._work = self._run(rest, timeout_s, silence_s)
        resume(self._work)

    async def _run(self, rest: Body, timeout_s: float, silence_s: float) -> None:
        try:
            self._up.deadline = NEVER  # who is not asked yet cannot be late
            await relay(rest, self._caller, self._up, silence_s)
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
