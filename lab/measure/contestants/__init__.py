"""Transports that compete on the same wire, each a small file behind one interface.

A contestant runs as two processes, one in each host (`python -m lab.measure.contestants`). It only
moves bytes; the runner (`__main__.py`) holds the clock, so that all are timed by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Place:
    """Where a contestant's process stands: its own address, the other one's, and a port."""

    me: str
    peer: str
    port: int


class Asking(Protocol):
    """A transport that can ask and answer: one small message each way."""

    def ask(self, place: Place, request: bytes, answer_bytes: int) -> Iterator[None]:
        """Connect at the first step; at every further step, ask once and wait for the answer."""

    def answer(
        self, place: Place, request_bytes: int, answer: bytes, ready: Callable[[], None]
    ) -> None:
        """Call `ready` once listening, then answer every request, for ever."""


class Contestant(Asking, Protocol):
    """A transport that can also carry a stream."""

    def bulk_send(self, place: Place) -> None:
        """Connect and send as fast as the transport allows, for ever (a signal ends it)."""

    def bulk_receive(self, place: Place, ready: Callable[[], None]) -> Iterator[int]:
        """Call `ready` once listening, then yield how many bytes have just arrived in order.

        Yields 0 as soon as the connection stands, and then at least every tenth of a second.
        """

    def payload_share(self) -> float:
        """Return which share of a full frame on the wire is the application's bytes."""
