"""One stream of xDS, as it is held: hear one request, plan, answer, hear the next.

Never more than one request is read ahead, and a new answer of a kind waits for the one before. So
whoever asks without end, or never acknowledges, or never reads, holds up nobody but himself and
takes no memory.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import grpc

from era6_control_plane import discovery_messages
from era6_control_plane.names import SHORT
from era6_control_plane.pace import Pace
from era6_control_plane.planning import Stream
from era6_control_plane.snapshot import Snapshot
from era6_control_plane.talk import Heard, Mode

FIRST_S = 10.0  # for the first request


class Ended(Exception):
    """We end this stream: with this code, and the message as the reason."""

    def __init__(self, code: grpc.StatusCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class Conversation:
    """With one client."""

    def __init__(self, context: Any, mode: Mode, say: Callable[[str], None]) -> None:
        """say: a line for the log."""
        self.node: Any = None  # what it says of itself
        self.owner = _owner(context)
        self.stream = Stream(mode)
        self._context = context
        self._mode = mode
        self._say = say
        self._woken = asyncio.Event()
        self._ended: Ended | None = None
        self._reading: asyncio.Future[Any] | None = None
        self._pace = Pace()

    async def first(self) -> Any:
        """The first request, which has a node. Raises Ended."""
        try:
            async with asyncio.timeout(FIRST_S):
                message = await self._context.read()
        except TimeoutError:
            raise Ended(grpc.StatusCode.DEADLINE_EXCEEDED, "nothing was asked") from None
        if message is grpc.aio.EOF:
            raise Ended(grpc.StatusCode.CANCELLED, "nothing was asked")
        if not message.node.id:
            raise Ended(grpc.StatusCode.INVALID_ARGUMENT, "the first request has no node.id")
        self.node = message.node
        return message

    async def hold(
        self,
        first: Any,
        snapshot: Callable[[], Snapshot | None],
        before: Stream | None,
        until_s: float,
    ) -> None:
        """Until the client ends it. first: what `first` gave. snapshot: what the node is to know
        now; None: it is unknown. before: the node's last stream. until_s: since 1970.

        Raises Ended.
        """
        self.stream = Stream(self._mode, before)
        self._hear(first)
        try:
            left_s = max(0.0, until_s - time.time())
            async with asyncio.timeout(left_s if left_s < math.inf else None):
                await self._talk(snapshot)
        except TimeoutError:
            why = "the certificate that this stream began with has ended"
            raise Ended(grpc.StatusCode.UNAUTHENTICATED, why) from None
        finally:
            if self._reading:
                self._reading.cancel()

    def wake(self) -> None:
        """There may be something to say."""
        self._woken.set()

    def end(self, code: grpc.StatusCode, why: str) -> None:
        """Soon: `hold` raises Ended with this."""
        self._ended = Ended(code, why)
        self._woken.set()

    async def _talk(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._read()
        while True:
            for answer in self.stream.plan(snapshot()):
                await self._context.write(discovery_messages.said(self._mode, answer))
            await self._woken.wait()
            self._woken.clear()
            if self._ended:
                raise self._ended
            if self._reading and self._reading.done():
                message = self._reading.result()
                if message is grpc.aio.EOF:
                    return
                self._hear(message)
                await self._pace.keep()
                self._read()

    def _read(self) -> None:
        self._reading = asyncio.ensure_future(self._context.read())
        self._reading.add_done_callback(lambda _: self._woken.set())

    def _hear(self, message: Any) -> None:
        if message.HasField("node") and message.node.id not in ("", self.node.id):
            why = f"node.id is {message.node.id[:80]!r}, and was {self.node.id!r}"
            raise Ended(grpc.StatusCode.PERMISSION_DENIED, why)
        request = discovery_messages.heard(self._mode, message)
        try:
            heard = self.stream.hear(request)
        except ValueError as error:
            raise Ended(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)) from error
        if heard is Heard.NACK:
            self._say(f"{self.node.id} refuses {SHORT[request.type_url]}: {request.refused}")
        if heard is Heard.UNKNOWN:
            self._say(f"{self.node.id} asks for {request.type_url[:80]!r}, of which there is none")


def _owner(context: Any) -> tuple[bytes, ...]:
    """Whose certificate was shown: known before a word is said. Empty: nobody's."""
    shown = context.auth_context()
    return (*shown.get("x509_common_name", ()), *shown.get("peer_uri", ()))
